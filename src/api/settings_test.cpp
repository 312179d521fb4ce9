#include "api/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::api {
namespace {

using ::testing::HasSubstr;

TEST(Settings, TheDefaultsAreGood) {
  EXPECT_TRUE(check(Settings()));
}

TEST(Settings, LaterSourcesWin) {
  Settings settings;
  ASSERT_TRUE(read_toml(settings,
                        "rate = 5\nmax_body = \"1M\"\nopen_to_all = true\ndrain = \"3s\"\n", "f"));
  const std::vector<std::string> environment{"BELLJAR_RATE=7", "PATH=/bin", "RATE_LIMIT=99"};
  ASSERT_TRUE(read_environment(settings, environment));
  EXPECT_EQ(settings.rate, 7U);
  EXPECT_EQ(settings.rate_limit, 99U);
  EXPECT_EQ(settings.max_body, kMiB);
  EXPECT_TRUE(settings.open_to_all);
  EXPECT_EQ(settings.drain, std::chrono::seconds(3));
}

TEST(Settings, WhatIsDescribedIsReadBackTheSame) {
  Settings settings;
  settings.listen = "[::1]:9";
  settings.require_key = true;
  settings.queue_wait = std::chrono::milliseconds(1500);
  Settings again;
  ASSERT_TRUE(read_toml(again, describe(settings), "f"));
  EXPECT_EQ(describe(again), describe(settings));
}

TEST(Settings, ErrorsNameThePlace) {
  Settings settings;
  const auto message = [&settings](std::string_view text) {
    const Status status = read_toml(settings, text, "belljar.toml");
    return status ? std::string("no error") : status.error().message;
  };
  EXPECT_THAT(message("rate = 1\nspeed = 2\n"),
              HasSubstr("belljar.toml:2: unknown setting 'speed'"));
  EXPECT_THAT(message("rate = -1\n"), HasSubstr("rate: must be a whole number"));
  EXPECT_THAT(message("rate = true\n"), HasSubstr("rate: must be no true or false"));
  EXPECT_THAT(message("listen = 8000\n"), HasSubstr("listen: must be a string"));
  EXPECT_THAT(message("rate ="), HasSubstr("belljar.toml"));
  const std::vector<std::string> environment{"MAX_CODE_SIZE=big"};
  const Status status = read_environment(settings, environment);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("MAX_CODE_SIZE: secure-sandbox-code"));
}

TEST(Settings, Endpoints) {
  const auto loopback = [](std::string_view text) {
    const auto endpoint = parse_endpoint(text);
    return endpoint && endpoint->loopback;
  };
  EXPECT_TRUE(loopback("127.0.0.1:8000"));
  EXPECT_TRUE(loopback("localhost:0"));
  EXPECT_TRUE(loopback("[::1]:8000"));
  EXPECT_FALSE(loopback("0.0.0.0:8000"));
  EXPECT_FALSE(loopback("[::]:8000"));
  for (const std::string_view wrong : {"", "8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                                       "::1:8000", "host:80", "127.0.0.1:80x", "[127.0.0.1]:80"}) {
    EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
  }
}

TEST(Settings, WhatNoSingleOneCanTell) {
  Settings settings;
  settings.on_restart = "maybe";
  EXPECT_FALSE(check(settings));
  settings = Settings();
  settings.cpu_limit = "fast";
  EXPECT_FALSE(check(settings));
  settings = Settings();
  settings.pids_limit = 100'000;
  EXPECT_THAT(check(settings).error().message, HasSubstr("PIDS_LIMIT"));
  settings = Settings();
  settings.max_body = 0;
  EXPECT_FALSE(check(settings));
}

}  // namespace
}  // namespace belljar::api
