#include "api/webhook_outbox.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "ledger/secrets.h"

namespace belljar::api {
namespace {

TEST(WebhookWait, GrowsToHoursAndVaries) {
  using std::chrono::seconds;
  EXPECT_EQ(webhook_wait(seconds(10), 1, 0.5), seconds(10));
  EXPECT_EQ(webhook_wait(seconds(10), 2, 0.5), seconds(40));
  EXPECT_EQ(webhook_wait(seconds(10), 5, 0.5), seconds(2560));
  EXPECT_EQ(webhook_wait(seconds(10), 7, 0.5), std::chrono::hours(3));
  EXPECT_EQ(webhook_wait(std::chrono::hours(1), 1000000, 0.5), std::chrono::hours(3));
  EXPECT_EQ(webhook_wait(seconds(8), 1, 0), seconds(6));
  EXPECT_EQ(webhook_wait(seconds(8), 1, 1), seconds(10));
  EXPECT_EQ(webhook_wait(seconds(8), 0, 0.5), seconds(8));
  Nanoseconds all{};
  for (int attempt = 1; attempt < kMostWebhookAttempts; ++attempt)
    all += webhook_wait(seconds(10), attempt, 0);
  EXPECT_GT(all, std::chrono::hours(4));
}

TEST(WebhookHeaders, SignTimeDeliveryAndBodyWithEachSecret) {
  const ledger::Delivery delivery{.id = "dlv_1", .run = "run_1", .body = "{}"};
  const std::string a = ledger::hmac_sha256_hex("secret a", "1700000000.dlv_1.{}");
  const std::string b = ledger::hmac_sha256_hex("secret b", "1700000000.dlv_1.{}");
  EXPECT_EQ(webhook_headers(delivery, 1700000000, {"secret a", "secret b"}),
            "Belljar-Run: run_1\r\nBelljar-Delivery: dlv_1\r\nBelljar-Timestamp: 1700000000\r\n"
            "Belljar-Signature: v1=" +
                a + ",v1=" + b + "\r\n");
}

class WebhookSecrets : public testing::Test {
 protected:
  WebhookSecrets() {
    std::string pattern = std::filesystem::temp_directory_path() / "belljar-test-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~WebhookSecrets() override { std::filesystem::remove_all(folder_); }
  void write(std::string_view text) const { std::ofstream(folder_ + "/webhook.secret") << text; }
  std::string folder_;
};

TEST_F(WebhookSecrets, AreMadeOnceForTheirOwnerOnly) {
  const auto first = webhook_secrets(folder_);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ(first->front().size(), 64U);
  EXPECT_EQ(webhook_secrets(folder_).value(), *first);
  struct stat file{};
  ASSERT_EQ(::stat((folder_ + "/webhook.secret").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600U);
}

TEST_F(WebhookSecrets, AreOneOrTwoLines) {
  write("the new secret, long enough\nthe old secret, long enough\n");
  EXPECT_EQ(
      webhook_secrets(folder_).value(),
      (std::vector<std::string>{"the new secret, long enough", "the old secret, long enough"}));
  for (const std::string_view wrong :
       {"", "\n", "short\n", "the new secret, long enough\nshort\n"}) {
    write(wrong);
    EXPECT_FALSE(webhook_secrets(folder_).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace belljar::api
