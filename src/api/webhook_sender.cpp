#include "api/webhook_sender.h"

#include <algorithm>
#include <array>

#include "api/webhook_http.h"
#include "api/webhook_names.h"
#include "base/sys.h"

namespace belljar::api {
namespace {

constexpr std::size_t kMostDialled = 4;  // of a name's addresses
// What is still read of an answer whose status is known, so that its sender sees no reset.
constexpr std::size_t kMostDiscarded = 64 * kKiB;
constexpr Nanoseconds kDiscardTime = std::chrono::seconds(1);

void discard_rest(WebhookConnection& connection, Nanoseconds deadline) {
  const Nanoseconds until = std::min(deadline, sys::now() + kDiscardTime);
  std::array<char, 16 * kKiB> block;
  std::size_t total = 0;
  while (total < kMostDiscarded) {
    const auto got = connection.read(block, until);
    if (!got || *got == 0) return;
    total += *got;
  }
}

Result<unsigned> read_answer(WebhookConnection& connection, Nanoseconds deadline) {
  std::string received;
  std::array<char, 4 * kKiB> block;
  while (true) {
    TRY_ASSIGN(const std::size_t got, connection.read(block, deadline));
    if (got == 0) return fail(Code::kUnavailable, "the connection was closed before an answer");
    received.append(block.data(), got);
    TRY_ASSIGN(const std::optional<unsigned> status, answer_status(received));
    if (status) return *status;
  }
}

}  // namespace

Result<std::vector<IpAddress>> WebhookSender::addresses(const WebhookUrl& url,
                                                        Nanoseconds deadline) const {
  std::vector<IpAddress> found;
  if (const auto literal = parse_ip_address(url.host)) {
    found.push_back(*literal);
  } else {
    TRY_ASSIGN(found, resolve(url.host, name_servers_, deadline));
  }
  // One that is forbidden among many tells what the name is for.
  const std::vector<IpAddress> own = own_addresses();
  for (const IpAddress& address : found) TRY(check_address(rules_, own, address));
  return found;
}

Result<WebhookConnection> WebhookSender::connect(const WebhookUrl& url,
                                                 Nanoseconds deadline) const {
  TRY_ASSIGN(std::vector<IpAddress> found, addresses(url, deadline));
  if (found.size() > kMostDialled) found.resize(kMostDialled);
  for (std::size_t i = 0; i + 1 < found.size(); ++i) {
    // A share of what is left, so that one that is dead leaves time for the others.
    const Nanoseconds now = sys::now();
    const Nanoseconds share = (deadline - now) / static_cast<std::int64_t>(found.size() - i);
    if (auto connection = WebhookConnection::open(found[i], url.port, now + share))
      return connection;
  }
  return WebhookConnection::open(found.back(), url.port, deadline);
}

Result<unsigned> WebhookSender::post(const WebhookUrl& url,
                                     std::string_view headers,
                                     std::string_view body) const {
  const Nanoseconds deadline = sys::now() + kWebhookDeadline;
  TRY_ASSIGN(WebhookConnection connection, connect(url, deadline));
  if (url.tls) TRY(connection.start_tls(context_, url.host, deadline));
  const Status head = connection.write(webhook_request_head(url, headers, body.size()), deadline);
  const Status sent = head ? connection.write(body, deadline) : head;
  // Who has enough before the end may have said why.
  Result<unsigned> status = read_answer(connection, deadline);
  if (!status) return sent ? status : std::unexpected(sent.error());
  discard_rest(connection, deadline);
  return status;
}

WebhookAttempt WebhookSender::send(std::string_view url,
                                   std::string_view headers,
                                   std::string_view body) const {
  using Ending = WebhookReport::Result;
  const auto checked = check_webhook_url(rules_, url);
  if (!checked) return {.result = Ending::kRefused, .text = checked.error().message};
  const auto status = post(*checked, headers, body);
  if (!status) {
    const bool never = status.error().code == Code::kDenied;
    return {.result = never ? Ending::kRefused : Ending::kFailed, .text = status.error().message};
  }
  if (*status >= 200 && *status < 300)
    return {.result = Ending::kDelivered, .status = *status, .text = {}};
  // 410 Gone: whoever it was wants no more of it.
  return {.result = *status == 410 ? Ending::kRefused : Ending::kFailed,
          .status = *status,
          .text = "the answer was " + std::to_string(*status)};
}

}  // namespace belljar::api
