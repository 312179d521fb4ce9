#include "api/webhook_http.h"

#include <algorithm>

namespace belljar::api {

std::string webhook_request_head(const WebhookUrl& url,
                                 std::string_view headers,
                                 std::size_t body_bytes) {
  std::string head = "POST " + url.target + " HTTP/1.1\r\nHost: " + url.authority();
  head +=
      "\r\nUser-Agent: belljar/" BELLJAR_VERSION
      "\r\nAccept: */*\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ";
  head += std::to_string(body_bytes);
  head += "\r\n";
  head += headers;
  return head + "\r\n";
}

Result<std::optional<unsigned>> answer_status(std::string_view received) {
  constexpr std::string_view kVersion = "HTTP/1.";
  constexpr std::size_t kStatusEnd = 12;  // "HTTP/1.1 200"
  const auto wrong = [] { return fail(Code::kInvalid, "the answer is not HTTP/1.1"); };
  std::string_view rest = received;
  while (true) {
    // Seen at its first bytes, so that nobody is listened to for long who speaks something else.
    const std::size_t known = std::min(rest.size(), kVersion.size());
    if (rest.substr(0, known) != kVersion.substr(0, known)) return wrong();
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() < kStatusEnd || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
        (line.size() > kStatusEnd && line[kStatusEnd] != ' ')) {
      return wrong();
    }
    unsigned status = 0;
    for (const char c : line.substr(9, 3)) {
      if (c < '0' || c > '9') return wrong();
      status = 10 * status + static_cast<unsigned>(c - '0');
    }
    if (status < 100 || status > 599) return wrong();
    if (status >= 200 || status == 101) return status;
    const std::size_t plain = rest.find("\n\n"), usual = rest.find("\n\r\n");
    const std::size_t head = std::min(plain, usual);
    if (head == std::string_view::npos) break;
    rest.remove_prefix(head + (head == plain ? 2 : 3));
  }
  if (received.size() > kMaxAnswerHeadBytes) {
    return fail(Code::kInvalid, "the head of the answer is too long");
  }
  return std::nullopt;
}

}  // namespace belljar::api
