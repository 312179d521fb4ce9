// WebhookSender: one attempt to deliver one webhook. Trusts nothing that comes back: of an answer
// only the status counts, no redirect is followed, nothing is unpacked.
//
// Runs in: the process `belljar webhooks`. Safe from several threads.
#pragma once

#include <string>
#include <string_view>

#include "api/webhook_connection.h"
#include "api/webhook_protocol.h"
#include "api/webhook_url.h"

namespace belljar::api {

inline constexpr Nanoseconds kWebhookDeadline = std::chrono::seconds(10);  // of one attempt

struct WebhookAttempt {
  WebhookReport::Result result = WebhookReport::Result::kFailed;
  unsigned status = 0;
  std::string text;  // why it was not delivered
};

class WebhookSender {
 public:
  WebhookSender(WebhookRules rules, std::string name_servers, TlsContext context)
      : rules_(std::move(rules)),
        name_servers_(std::move(name_servers)),
        context_(std::move(context)) {}

  // The name is looked up once, every address that it has is checked, and only these are dialled.
  [[nodiscard]] WebhookAttempt send(std::string_view url,
                                    std::string_view headers,
                                    std::string_view body) const;

 private:
  Result<unsigned> post(const WebhookUrl& url,
                        std::string_view headers,
                        std::string_view body) const;
  Result<std::vector<IpAddress>> addresses(const WebhookUrl& url, Nanoseconds deadline) const;
  Result<WebhookConnection> connect(const WebhookUrl& url, Nanoseconds deadline) const;

  const WebhookRules rules_;
  const std::string name_servers_;
  const TlsContext context_;
};

}  // namespace belljar::api
