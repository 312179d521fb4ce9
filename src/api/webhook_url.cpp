#include "api/webhook_url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace belljar::api {
namespace {

constexpr unsigned kMappedBits = 96;  // ::ffff:0:0/96

struct Special {
  std::string_view network;
  std::string_view what;
};

// What IANA's registries of special-purpose addresses say is not the public internet, and what
// carries an IPv4 address inside and so could lead anywhere.
constexpr Special kSpecial[] = {
    {"0.0.0.0/8", "unspecified"},
    {"10.0.0.0/8", "private"},
    {"100.64.0.0/10", "a provider's shared address"},
    {"127.0.0.0/8", "loopback"},
    {"169.254.0.0/16", "link-local"},
    {"172.16.0.0/12", "private"},
    {"192.0.0.0/24", "reserved"},
    {"192.0.2.0/24", "for documentation"},
    {"192.88.99.0/24", "a 6to4 relay"},
    {"192.168.0.0/16", "private"},
    {"198.18.0.0/15", "for benchmarks"},
    {"198.51.100.0/24", "for documentation"},
    {"203.0.113.0/24", "for documentation"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved"},
    {"::/128", "unspecified"},
    {"::1/128", "loopback"},
    {"fc00::/7", "private"},
    {"fe80::/10", "link-local"},
    {"ff00::/8", "multicast"},
    {"2001::/32", "a Teredo tunnel"},
    {"2001::/23", "reserved"},
    {"2001:db8::/32", "for documentation"},
    {"2002::/16", "a 6to4 tunnel"},
    {"3fff::/20", "for documentation"},
};

// Names that never stand for the public internet.
constexpr std::string_view kInnerNames[] = {"localhost", "local",      "internal",  "intranet",
                                            "lan",       "home",       "home.arpa", "corp",
                                            "private",   "localdomain"};

struct SpecialNetwork {
  IpNetwork network;
  std::string_view what;
};

const std::vector<SpecialNetwork>& special_networks() {
  static const auto networks = [] {
    std::vector<SpecialNetwork> made;
    for (const auto& [text, what] : kSpecial) made.push_back({*parse_ip_network(text), what});
    return made;
  }();
  return networks;
}

const IpNetwork& global_unicast() {
  static const IpNetwork network = *parse_ip_network("2000::/3");
  return network;
}

// An address of IPv6 that a NAT64 gateway (RFC 6052) turns into this one of IPv4.
std::optional<IpAddress> behind_nat64(const IpAddress& address) {
  static const IpNetwork network = *parse_ip_network("64:ff9b::/96");
  if (!network.contains(address)) return std::nullopt;
  return ip_v4(std::span<const std::uint8_t, 4>(address.bytes.data() + 12, 4));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return c >= 'a' && c <= 'z';
}

// What a browser would read as a number and so as an IPv4 address: "127.1", "0x7f.1", "2130706433".
bool ends_in_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  if (std::ranges::all_of(last, is_digit)) return true;
  return last.starts_with("0x") && std::ranges::all_of(last.substr(2), [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'f');
         });
}

Status check_host_name(std::string_view host) {
  const auto wrong = [](std::string_view why) {
    return fail(Code::kInvalid, "the host " + std::string(why));
  };
  if (host.empty()) return wrong("is missing");
  if (host.size() > 253) return wrong("is longer than 253 bytes");
  std::string_view rest = host;
  while (true) {
    const std::string_view label = rest.substr(0, rest.find('.'));
    if (label.empty() || label.size() > 63) return wrong("has an empty or over-long label");
    if (label.front() == '-' || label.back() == '-')
      return wrong("has a label that ends in a hyphen");
    if (!std::ranges::all_of(label,
                             [](char c) { return is_digit(c) || is_letter(c) || c == '-'; })) {
      return wrong(
          "has other characters than letters, digits, hyphens and dots; "
          "write an international name in its xn-- form");
    }
    if (label.size() == rest.size()) break;
    rest.remove_prefix(label.size() + 1);
  }
  if (ends_in_number(host) && !parse_ip_address(host)) {
    return wrong("is a number but no IPv4 address in its usual form");
  }
  return {};
}

bool is_inner_name(std::string_view host) {
  if (host.find('.') == std::string_view::npos) return true;
  return std::ranges::any_of(kInnerNames, [host](std::string_view name) {
    return host.ends_with(name) && host[host.size() - name.size() - 1] == '.';
  });
}

Result<std::uint16_t> parse_port(std::string_view text) {
  const auto number = parse_count(text);
  if (text.empty() || text.size() > 5 || !number || *number == 0 || *number > 65535) {
    return fail(Code::kInvalid, "the port must be 1 to 65535");
  }
  return static_cast<std::uint16_t>(*number);
}

}  // namespace

Result<PortRange> parse_port_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  TRY_ASSIGN(const std::uint16_t first, parse_port(text.substr(0, dash)));
  if (dash == std::string_view::npos) return PortRange{first, first};
  TRY_ASSIGN(const std::uint16_t last, parse_port(text.substr(dash + 1)));
  if (last < first) return fail(Code::kInvalid, "a range of ports begins with the lower one");
  return PortRange{first, last};
}

namespace {

std::uint16_t usual_port(bool tls) {
  return tls ? 443 : 80;
}

}  // namespace

// ---- Addresses -------------------------------------------------------------------------------

bool IpAddress::is_v4() const {
  static constexpr std::array<std::uint8_t, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(kPrefix.begin(), kPrefix.end(), bytes.begin());
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  const bool four = is_v4();
  ::inet_ntop(four ? AF_INET : AF_INET6, bytes.data() + (four ? 12 : 0), buffer.data(),
              buffer.size());
  return buffer.data();
}

IpAddress ip_v4(std::span<const std::uint8_t, 4> bytes) {
  IpAddress address;
  address.bytes[10] = address.bytes[11] = 0xff;
  std::ranges::copy(bytes, address.bytes.begin() + 12);
  return address;
}

Result<IpAddress> parse_ip_address(std::string_view text) {
  const std::string copy(text);
  std::array<std::uint8_t, 4> four{};
  if (::inet_pton(AF_INET, copy.c_str(), four.data()) == 1) return ip_v4(four);
  IpAddress address;
  if (::inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  return fail(Code::kInvalid, quote(text) + " is no IP address");
}

bool IpNetwork::contains(const IpAddress& other) const {
  for (unsigned bit = 0; bit < bits; bit += 8) {
    const unsigned rest = std::min(8U, bits - bit);
    const auto mask = static_cast<std::uint8_t>(0xff00U >> rest);
    if (((address.bytes[bit / 8] ^ other.bytes[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

Result<IpNetwork> parse_ip_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  TRY_ASSIGN(const IpAddress address, parse_ip_address(text.substr(0, slash)));
  if (slash == std::string_view::npos) return IpNetwork{address, 128};
  const unsigned before = address.is_v4() ? kMappedBits : 0;
  const auto length = parse_count(text.substr(slash + 1));
  if (!length || *length > 128 - before) {
    return fail(Code::kInvalid, quote(text) + " is no network, such as 10.0.0.0/8 or fd00::/8");
  }
  return IpNetwork{address, before + static_cast<unsigned>(*length)};
}

Status check_address(const WebhookRules& rules,
                     std::span<const IpAddress> own,
                     const IpAddress& address) {
  const auto allowed = [&rules](const IpAddress& each) {
    return std::ranges::any_of(
        rules.allowed, [&each](const IpNetwork& network) { return network.contains(each); });
  };
  if (allowed(address)) return {};
  const auto denied = [&address](std::string_view what) {
    return fail(Code::kDenied,
                "the address " + address.text() + " is not allowed: it is " + std::string(what));
  };
  if (const auto inner = behind_nat64(address)) {
    if (allowed(*inner)) return {};
    const Status fine = check_address(rules, own, *inner);
    return fine ? Status() : denied("behind NAT64, and " + inner->text() + " is not allowed");
  }
  for (const SpecialNetwork& each : special_networks()) {
    if (each.network.contains(address)) return denied(each.what);
  }
  if (!address.is_v4() && !global_unicast().contains(address))
    return denied("not of the public internet");
  if (std::ranges::find(own, address) != own.end()) return denied("this host's own");
  return {};
}

// ---- Rules -----------------------------------------------------------------------------------

Result<WebhookRules> webhook_rules(const Settings& settings) {
  WebhookRules rules;
  for (const std::string_view part : comma_list(settings.webhook_ports)) {
    auto range = parse_port_range(part);
    if (!range) return std::unexpected(range.error().context("webhook-ports"));
    rules.ports.push_back(*range);
  }
  for (const std::string_view part : comma_list(settings.webhook_allow)) {
    auto network = parse_ip_network(part);
    if (!network) return std::unexpected(network.error().context("webhook-allow"));
    rules.allowed.push_back(*network);
  }
  return rules;
}

// ---- URLs ------------------------------------------------------------------------------------

std::string WebhookUrl::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == usual_port(tls) ? name : name + ":" + std::to_string(port);
}

std::string WebhookUrl::origin() const {
  return (tls ? "https://" : "http://") + authority();
}

Result<WebhookUrl> parse_webhook_url(std::string_view text) {
  const auto wrong = [](std::string_view why) { return fail(Code::kInvalid, std::string(why)); };
  if (text.size() > kMaxWebhookUrlBytes) {
    return wrong("must have at most " + std::to_string(kMaxWebhookUrlBytes) + " bytes");
  }
  // What RFC 3986 leaves out is where readers of URLs begin to differ, the backslash above all.
  constexpr std::string_view kNever = "\"<>\\^`{|}";
  if (!std::ranges::all_of(text,
                           [&](char c) { return c > ' ' && c < '\x7f' && !kNever.contains(c); })) {
    return wrong("must be a URL of printable ASCII, without blanks or any of \"<>\\^`{|}");
  }
  WebhookUrl url;
  const std::string lower = ascii_lower(text);
  url.tls = lower.starts_with("https://");
  if (!url.tls && !lower.starts_with("http://"))
    return wrong("must begin with https:// or http://");
  const std::size_t begin = url.tls ? 8 : 7;
  const std::size_t end = std::min(lower.find_first_of("/?#", begin), lower.size());
  const std::string_view authority = std::string_view(lower).substr(begin, end - begin);
  if (authority.contains('@')) return wrong("must not have a user or password in it");
  if (text.contains('#')) return wrong("must not have a fragment (#)");

  std::string_view host = authority;
  std::string_view port;
  const bool brackets = authority.starts_with('[');
  const std::size_t colon = brackets ? authority.find(']') + 1 : authority.find(':');
  if (brackets && colon == 0) return wrong("has no ] after its address");
  if (colon < authority.size()) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
    if (authority[colon] != ':') return wrong("has something between its address and its port");
    TRY_ASSIGN(url.port, parse_port(port));
  } else {
    url.port = usual_port(url.tls);
  }
  if (brackets) {
    const auto address = parse_ip_address(host.substr(1, host.size() - 2));
    if (!address || !host.contains(':')) return wrong("has no IPv6 address in its brackets");
    // One way to write it, so that one receiver has one name.
    url.host = address->is_v4() ? "::ffff:" + address->text() : address->text();
  } else {
    TRY(check_host_name(host));
    url.host = host;
  }
  url.target = text.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

Result<WebhookUrl> check_webhook_url(const WebhookRules& rules, std::string_view text) {
  TRY_ASSIGN(WebhookUrl url, parse_webhook_url(text));
  const bool port = std::ranges::any_of(rules.ports, [&url](const PortRange& range) {
    return range.first <= url.port && url.port <= range.last;
  });
  if (!port) {
    return fail(Code::kDenied,
                "the port " + std::to_string(url.port) + " is not one of webhook-ports");
  }
  if (const auto address = parse_ip_address(url.host)) {
    TRY(check_address(rules, {}, *address));
  } else if (rules.allowed.empty() && is_inner_name(url.host)) {
    return fail(Code::kDenied, "the host " + quote(url.host) + " is a name of an inner network");
  }
  return url;
}

}  // namespace belljar::api
