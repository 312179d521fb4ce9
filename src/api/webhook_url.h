// WebhookUrl: where a webhook may go. A URL has one reading here, or none; what it is checked for
// without the name service is checked when a run is submitted, the addresses that its name stands
// for when it is delivered, by the process that then connects to exactly these.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/settings.h"
#include "base/result.h"

namespace belljar::api {

inline constexpr std::size_t kMaxWebhookUrlBytes = 2048;

// IPv6, or IPv4 as ::ffff:a.b.c.d.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] std::string text() const;
  bool operator==(const IpAddress&) const = default;
};
// "192.0.2.1" or "2001:db8::1", nothing looser: no "127.1", no zone.
Result<IpAddress> parse_ip_address(std::string_view text);
IpAddress ip_v4(std::span<const std::uint8_t, 4> bytes);

struct IpNetwork {
  IpAddress address;
  unsigned bits = 128;  // of the 128; a /8 of IPv4 is 104

  [[nodiscard]] bool contains(const IpAddress& other) const;
};
// "10.0.0.0/8", "fd00::/8", or a single address.
Result<IpNetwork> parse_ip_network(std::string_view text);

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};
// "80" or "8000-8010".
Result<PortRange> parse_port_range(std::string_view text);

struct WebhookRules {
  std::vector<PortRange> ports;
  std::vector<IpNetwork> allowed;  // though they would be forbidden
};
// From the settings webhook-ports and webhook-allow.
Result<WebhookRules> webhook_rules(const Settings& settings);

struct WebhookUrl {
  bool tls = false;
  std::string host;  // lower case; an IPv6 address without brackets
  std::uint16_t port = 0;
  std::string target;  // path and query

  // "https://example.org", "http://[2001:db8::1]:8080".
  [[nodiscard]] std::string origin() const;
  // For the header: without the port where it is the scheme's own.
  [[nodiscard]] std::string authority() const;
  [[nodiscard]] std::string text() const { return origin() + target; }
};

// kInvalid says what is wrong with it.
Result<WebhookUrl> parse_webhook_url(std::string_view text);
// The same, and kDenied where the port, the name or the address in it is not allowed.
Result<WebhookUrl> check_webhook_url(const WebhookRules& rules, std::string_view text);
// kDenied unless the address is one of the public internet or named in the rules. `own` are the
// addresses of this host.
Status check_address(const WebhookRules& rules,
                     std::span<const IpAddress> own,
                     const IpAddress& address);

}  // namespace belljar::api
