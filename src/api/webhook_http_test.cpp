#include "api/webhook_http.h"

#include <gtest/gtest.h>

namespace belljar::api {
namespace {

TEST(WebhookRequest, IsTheseBytes) {
  const WebhookUrl url = parse_webhook_url("https://Example.org:8443/hook?a=%0d%0ab").value();
  EXPECT_EQ(webhook_request_head(url, "Belljar-Run: run_1\r\n", 12),
            "POST /hook?a=%0d%0ab HTTP/1.1\r\nHost: example.org:8443\r\nUser-Agent: "
            "belljar/" BELLJAR_VERSION
            "\r\nAccept: */*\r\nConnection: close\r\nContent-Type: "
            "application/json\r\nContent-Length: 12\r\n"
            "Belljar-Run: run_1\r\n\r\n");
}

void expect_status(std::string_view received, unsigned status) {
  // However it is cut, it is never read as something else.
  for (std::size_t size = 0; size <= received.size(); ++size) {
    const auto read = answer_status(received.substr(0, size));
    ASSERT_TRUE(read.has_value()) << received.substr(0, size);
    if (*read) {
      EXPECT_EQ(**read, status);
    }
  }
  EXPECT_EQ(answer_status(received).value(), std::optional(status));
}

TEST(AnswerStatus, IsReadFromTheFirstLine) {
  expect_status("HTTP/1.1 200 OK\r\n", 200);
  expect_status("HTTP/1.0 204\r\nX: y\r\n\r\n", 204);
  expect_status("HTTP/1.1 302 Found\nLocation: http://127.0.0.1/\n\n", 302);
  expect_status("HTTP/1.1 500 \r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 500);
  expect_status("HTTP/1.1 101 Switching Protocols\r\n", 101);
}

TEST(AnswerStatus, PassesInterimAnswersOver) {
  expect_status("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n", 201);
  expect_status(
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\n\nHTTP/1.1 404 No\r\n",
      404);
}

TEST(AnswerStatus, RefusesWhatIsNoHttp) {
  for (const std::string_view text :
       {"SSH-2.0-OpenSSH_9.2\r\n", "220 mail ESMTP\r\n", "HTTP/2 200\r\n", "HTTP/1.2 200 OK\r\n",
        "http/1.1 200 OK\r\n", "HTTP/1.1  200 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 099 OK\r\n", "HTTP/1.1 600 OK\r\n", "HTTP/1.1 -20 OK\r\n", "\r\n", "\x16\x03\x01",
        "HTTP/1.1 100 Continue\r\n\r\nx"}) {
    EXPECT_FALSE(answer_status(text).has_value()) << text;
  }
}

TEST(AnswerStatus, IsNotWaitedForWithoutBound) {
  const std::string line = "HTTP/1.1 200 " + std::string(kMaxAnswerHeadBytes, 'a');
  EXPECT_FALSE(answer_status(line).has_value());
  std::string interim;
  while (interim.size() <= kMaxAnswerHeadBytes) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_FALSE(answer_status(interim).has_value());
}

}  // namespace
}  // namespace belljar::api
