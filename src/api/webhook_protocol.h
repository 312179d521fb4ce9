// What the gateway and the process that sends webhooks say to each other, over a SOCK_SEQPACKET
// socket. The gateway keeps the ledger and the secret: the sender, which talks to strangers, gets
// one request at a time, ready and signed, and answers how it went.
#pragma once

#include <array>
#include <cstdint>

namespace belljar::api {

inline constexpr std::size_t kConcurrentWebhooks = 8;

// With one descriptor: a memfd with the URL, the header lines and the body, one after the other.
struct WebhookOrder {
  std::uint64_t ticket = 0;
  std::uint32_t url_bytes = 0;
  std::uint32_t header_bytes = 0;
};

struct WebhookReport {
  enum class Result : std::uint8_t {
    kDelivered = 1,
    kFailed,   // to be tried again
    kRefused,  // never to be tried again
  };
  std::uint64_t ticket = 0;
  std::uint16_t status = 0;  // of the answer; 0: there was none
  Result result = Result::kFailed;
  std::array<char, 245> text{};  // why, ended by NUL
};

}  // namespace belljar::api
