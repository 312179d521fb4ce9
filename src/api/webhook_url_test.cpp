#include "api/webhook_url.h"

#include <gtest/gtest.h>

#include <ostream>

namespace belljar::api {
namespace {

WebhookRules rules_of(const std::string& ports, const std::string& allow) {
  Settings settings;
  settings.webhook_ports = ports;
  settings.webhook_allow = allow;
  return webhook_rules(settings).value();
}

IpAddress address_of(std::string_view text) {
  return parse_ip_address(text).value();
}

// ---- What is taken ---------------------------------------------------------------------------

struct Taken {
  std::string_view text, normal;
  friend void PrintTo(const Taken& taken, std::ostream* out) { *out << taken.text; }
};
class TakenUrls : public testing::TestWithParam<Taken> {};

TEST_P(TakenUrls, HaveOneForm) {
  const auto url = check_webhook_url(rules_of("80,443,8080,8443", ""), GetParam().text);
  ASSERT_TRUE(url.has_value()) << url.error().message;
  EXPECT_EQ(url->text(), GetParam().normal);
  // Its own form is a fixed point, so what was recorded is what is sent to.
  EXPECT_EQ(parse_webhook_url(url->text()).value().text(), GetParam().normal);
}

INSTANTIATE_TEST_SUITE_P(
    Webhooks,
    TakenUrls,
    testing::Values(
        Taken{"https://example.org", "https://example.org/"},
        Taken{"HTTPS://EXAMPLE.org/Hook?A=b&c=%0d%0a", "https://example.org/Hook?A=b&c=%0d%0a"},
        Taken{"http://example.org:80/x", "http://example.org/x"},
        Taken{"http://example.org:443/x", "http://example.org:443/x"},
        Taken{"https://example.org:443", "https://example.org/"},
        Taken{"https://example.org:08443/", "https://example.org:8443/"},
        Taken{"https://example.org?a=b", "https://example.org/?a=b"},
        Taken{"https://example.org/a/../b", "https://example.org/a/../b"},
        Taken{"https://example.org/@user:pass", "https://example.org/@user:pass"},
        Taken{"https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"},
        Taken{"https://1.example.org/", "https://1.example.org/"},
        Taken{"https://0x7f.example.org/", "https://0x7f.example.org/"},
        Taken{"https://localhost.example.org/", "https://localhost.example.org/"},
        Taken{"https://8.8.8.8/", "https://8.8.8.8/"},
        Taken{"https://[2606:4700::1111]/", "https://[2606:4700::1111]/"},
        Taken{"https://[2606:4700:0:0:0:0:0:1111]:8443/", "https://[2606:4700::1111]:8443/"},
        Taken{"https://[::ffff:8.8.8.8]/", "https://[::ffff:8.8.8.8]/"},
        Taken{"https://[64:ff9b::808:808]/", "https://[64:ff9b::808:808]/"}));

// ---- What is refused -------------------------------------------------------------------------

struct Refused {
  std::string_view text, why;
  friend void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.text; }
};
class RefusedUrls : public testing::TestWithParam<Refused> {};

TEST_P(RefusedUrls, SayWhy) {
  const auto url = check_webhook_url(rules_of("80,443,8080,8443", ""), GetParam().text);
  ASSERT_FALSE(url.has_value()) << url->text();
  EXPECT_NE(url.error().message.find(GetParam().why), std::string::npos) << url.error().message;
}

constexpr std::string_view kNumber = "is a number";
constexpr std::string_view kCharacters = "other characters";
constexpr std::string_view kAscii = "printable ASCII";

INSTANTIATE_TEST_SUITE_P(Schemes,
                         RefusedUrls,
                         testing::Values(Refused{"", "must begin"},
                                         Refused{"example.org", "must begin"},
                                         Refused{"//example.org/", "must begin"},
                                         Refused{"ftp://example.org/", "must begin"},
                                         Refused{"file:///etc/passwd", "must begin"},
                                         Refused{"gopher://example.org/", "must begin"},
                                         Refused{"javascript:alert(1)", "must begin"},
                                         Refused{"http:example.org", "must begin"},
                                         Refused{"http:/example.org", "must begin"},
                                         Refused{"https+unix://x/", "must begin"},
                                         Refused{" http://example.org/", kAscii}));

INSTANTIATE_TEST_SUITE_P(
    Texts,
    RefusedUrls,
    testing::Values(Refused{"http://example.org\\@8.8.8.8/", kAscii},
                    Refused{"http:\\\\example.org", kAscii},
                    Refused{"http://example.org/a b", kAscii},
                    Refused{"http://example.org/a\r\nX-Injected: 1", kAscii},
                    Refused{"http://example.org/a\nb", kAscii},
                    Refused{std::string_view("http://example.org/\0", 20), kAscii},
                    Refused{"http://example.org/\x7f", kAscii},
                    Refused{"http://ex\xc3\xa4mple.org/", kAscii},
                    Refused{"http://127\xe3\x80\x82"
                            "0\xe3\x80\x82"
                            "0\xe3\x80\x82"
                            "1/",
                            kAscii},
                    Refused{"http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", kAscii},
                    Refused{"http://example.org/<x>", kAscii},
                    Refused{"http://example.org/#part", "fragment"},
                    Refused{"http://example.org#@8.8.8.8/", "fragment"},
                    Refused{"http://good@8.8.8.8/", "user"},
                    Refused{"http://user:pass@example.org/", "user"},
                    Refused{"http://@example.org/", "user"},
                    Refused{"http://example.org%40127.0.0.1/", kCharacters}));

INSTANTIATE_TEST_SUITE_P(Hosts,
                         RefusedUrls,
                         testing::Values(Refused{"http://", "missing"},
                                         Refused{"http:///hook", "missing"},
                                         Refused{"http://:80/", "missing"},
                                         Refused{"http://?x", "missing"},
                                         Refused{"http://./", "empty"},
                                         Refused{"http://example..org/", "empty"},
                                         Refused{"http://example.org./", "empty"},
                                         Refused{"http://.example.org/", "empty"},
                                         Refused{"http://-a.example.org/", "hyphen"},
                                         Refused{"http://a-.example.org/", "hyphen"},
                                         Refused{"http://a_b.example.org/", kCharacters},
                                         Refused{"http://127.0.0.1%2f.example.org/", kCharacters},
                                         Refused{"http://exam%70le.org/", kCharacters},
                                         Refused{"http://*.example.org/", kCharacters},
                                         Refused{"http://a,b.example.org/", kCharacters},
                                         Refused{"http://localhost/", "inner"},
                                         Refused{"http://LOCALHOST/", "inner"},
                                         Refused{"http://a.localhost/", "inner"},
                                         Refused{"http://intranet/", "inner"},
                                         Refused{"http://metadata.google.internal/", "inner"},
                                         Refused{"http://printer.local/", "inner"},
                                         Refused{"http://router.home.arpa/", "inner"}));

INSTANTIATE_TEST_SUITE_P(Numbers,
                         RefusedUrls,
                         testing::Values(Refused{"http://127.1/", kNumber},
                                         Refused{"http://127.0.1/", kNumber},
                                         Refused{"http://0/", kNumber},
                                         Refused{"http://0x7f.1/", kNumber},
                                         Refused{"http://0x7f000001/", kNumber},
                                         Refused{"http://0X7F000001/", kNumber},
                                         Refused{"http://2130706433/", kNumber},
                                         Refused{"http://017700000001/", kNumber},
                                         Refused{"http://0177.0.0.1/", kNumber},
                                         Refused{"http://127.0.0.01/", kNumber},
                                         Refused{"http://127.0.0.0x1/", kNumber},
                                         Refused{"http://1.2.3.4.5/", kNumber},
                                         Refused{"http://256.1.1.1/", kNumber},
                                         Refused{"http://8.8.2056/", kNumber},
                                         Refused{"http://example.0x/", kNumber},
                                         Refused{"http://example.1/", kNumber}));

INSTANTIATE_TEST_SUITE_P(Ports,
                         RefusedUrls,
                         testing::Values(Refused{"http://example.org:0/", "port"},
                                         Refused{"http://example.org:22/", "webhook-ports"},
                                         Refused{"http://example.org:25/", "webhook-ports"},
                                         Refused{"http://example.org:6379/", "webhook-ports"},
                                         Refused{"http://example.org:65536/", "port"},
                                         Refused{"http://example.org:65616/", "port"},
                                         Refused{"http://example.org:4294967376/", "port"},
                                         Refused{"http://example.org:-80/", "port"},
                                         Refused{"http://example.org:+80/", "port"},
                                         Refused{"http://example.org:8e1/", "port"},
                                         Refused{"http://example.org:/", "port"},
                                         Refused{"http://example.org:80:80/", "port"},
                                         Refused{"http://[2606:4700::1]:/", "port"}));

INSTANTIATE_TEST_SUITE_P(Brackets,
                         RefusedUrls,
                         testing::Values(Refused{"http://[2606:4700::1/", "no ]"},
                                         Refused{"http://[]/", "no IPv6"},
                                         Refused{"http://[8.8.8.8]/", "no IPv6"},
                                         Refused{"http://[fe80::1%25eth0]/", "no IPv6"},
                                         Refused{"http://[v1.x]/", "no IPv6"},
                                         Refused{"http://[2606:4700::1]x/", "between"},
                                         Refused{"http://2606:4700::1/", "port"},
                                         Refused{"http://x[2606:4700::1]/", "port"}));

INSTANTIATE_TEST_SUITE_P(Addresses,
                         RefusedUrls,
                         testing::Values(Refused{"http://127.0.0.1/", "loopback"},
                                         Refused{"http://169.254.169.254/latest/meta-data",
                                                 "link-local"},
                                         Refused{"http://[::]/", "unspecified"},
                                         Refused{"http://[::1]/", "loopback"},
                                         Refused{"http://[0:0:0:0:0:0:0:1]/", "loopback"},
                                         Refused{"http://[::ffff:127.0.0.1]/", "loopback"},
                                         Refused{"http://[::ffff:7f00:1]/", "loopback"},
                                         Refused{"http://[fd00:ec2::254]/", "private"}));

TEST(WebhookUrl, IsBounded) {
  const std::string longest = "https://example.org/" + std::string(kMaxWebhookUrlBytes - 20, 'a');
  EXPECT_TRUE(parse_webhook_url(longest).has_value());
  EXPECT_FALSE(parse_webhook_url(longest + "a").has_value());
  EXPECT_TRUE(parse_webhook_url("http://" + std::string(63, 'a') + ".org/").has_value());
  EXPECT_FALSE(parse_webhook_url("http://" + std::string(64, 'a') + ".org/").has_value());
}

TEST(WebhookUrl, HasAnOriginAndAnAuthority) {
  const WebhookUrl url = parse_webhook_url("http://[2606:4700::1]:8080/a?b").value();
  EXPECT_EQ(url.origin(), "http://[2606:4700::1]:8080");
  EXPECT_EQ(url.authority(), "[2606:4700::1]:8080");
  EXPECT_EQ(url.target, "/a?b");
  EXPECT_EQ(parse_webhook_url("https://a.org:443/").value().authority(), "a.org");
}

// ---- Addresses -------------------------------------------------------------------------------

class ForbiddenAddresses : public testing::TestWithParam<std::string_view> {};

TEST_P(ForbiddenAddresses, AreRefusedAndCanBeAllowed) {
  const IpAddress address = address_of(GetParam());
  EXPECT_FALSE(check_address(rules_of("", ""), {}, address).has_value());
  EXPECT_TRUE(check_address(rules_of("", std::string(GetParam())), {}, address).has_value());
}

INSTANTIATE_TEST_SUITE_P(Addresses,
                         ForbiddenAddresses,
                         testing::Values("0.0.0.0",
                                         "0.1.2.3",
                                         "10.0.0.0",
                                         "10.255.255.255",
                                         "100.64.0.0",
                                         "100.127.255.255",
                                         "127.0.0.1",
                                         "127.255.255.255",
                                         "169.254.0.1",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.0.0.1",
                                         "192.0.0.192",
                                         "192.0.2.1",
                                         "192.88.99.1",
                                         "192.168.0.1",
                                         "192.168.255.255",
                                         "198.18.0.1",
                                         "198.19.255.255",
                                         "198.51.100.1",
                                         "203.0.113.255",
                                         "224.0.0.1",
                                         "239.255.255.255",
                                         "240.0.0.1",
                                         "255.255.255.255"));
INSTANTIATE_TEST_SUITE_P(Addresses6,
                         ForbiddenAddresses,
                         testing::Values("::",
                                         "::1",
                                         "::2",
                                         "::127.0.0.1",
                                         "::ffff:10.0.0.1",
                                         "::ffff:169.254.169.254",
                                         "::ffff:0:127.0.0.1",
                                         "64:ff9b::127.0.0.1",
                                         "64:ff9b::10.0.0.1",
                                         "64:ff9b::169.254.169.254",
                                         "64:ff9b:1::8.8.8.8",
                                         "100::1",
                                         "2001::1",
                                         "2001:0:5ef5:79fb::1",
                                         "2001:2::1",
                                         "2001:10::1",
                                         "2001:db8::1",
                                         "2002:7f00:1::",
                                         "2002:a00:1::1",
                                         "2002:808:808::1",
                                         "3fff::1",
                                         "4000::1",
                                         "5f00::1",
                                         "fc00::1",
                                         "fd00:ec2::254",
                                         "fe80::1",
                                         "febf::1",
                                         "fec0::1",
                                         "ff02::1",
                                         "ff0e::1"));

class PublicAddresses : public testing::TestWithParam<std::string_view> {};

TEST_P(PublicAddresses, AreTakenUnlessTheyAreThisHosts) {
  const IpAddress address = address_of(GetParam());
  EXPECT_TRUE(check_address(rules_of("", ""), {}, address).has_value());
  const Status own = check_address(rules_of("", ""), {&address, 1}, address);
  ASSERT_FALSE(own.has_value());
  EXPECT_NE(own.error().message.find("this host's own"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Addresses,
                         PublicAddresses,
                         testing::Values("1.1.1.1",
                                         "8.8.8.8",
                                         "9.255.255.255",
                                         "11.0.0.0",
                                         "100.63.255.255",
                                         "100.128.0.0",
                                         "126.255.255.255",
                                         "128.0.0.0",
                                         "169.253.255.255",
                                         "169.255.0.0",
                                         "172.15.255.255",
                                         "172.32.0.0",
                                         "192.0.1.0",
                                         "192.167.255.255",
                                         "192.169.0.0",
                                         "198.17.255.255",
                                         "198.20.0.0",
                                         "223.255.255.255",
                                         "2001:200::1",
                                         "2001:4860:4860::8888",
                                         "2606:4700::1111",
                                         "2a00:1450::1",
                                         "3ffe::1"));

TEST(CheckAddress, AnAllowedNetworkHoldsForMappedAndTranslatedAddresses) {
  const WebhookRules rules = rules_of("", "10.1.0.0/16, fd12::/16");
  EXPECT_TRUE(check_address(rules, {}, address_of("10.1.255.1")).has_value());
  EXPECT_TRUE(check_address(rules, {}, address_of("::ffff:10.1.0.1")).has_value());
  EXPECT_TRUE(check_address(rules, {}, address_of("64:ff9b::10.1.0.1")).has_value());
  EXPECT_TRUE(check_address(rules, {}, address_of("fd12:1::1")).has_value());
  EXPECT_FALSE(check_address(rules, {}, address_of("10.2.0.1")).has_value());
  EXPECT_FALSE(check_address(rules, {}, address_of("fd13::1")).has_value());
}

TEST(CheckAddress, ANetworkOfAnyLengthHoldsWhatItSays) {
  EXPECT_TRUE(parse_ip_network("0.0.0.0/0")->contains(address_of("255.1.2.3")));
  EXPECT_FALSE(parse_ip_network("0.0.0.0/0")->contains(address_of("2001:db8::1")));
  EXPECT_TRUE(parse_ip_network("::/0")->contains(address_of("1.2.3.4")));
  EXPECT_TRUE(parse_ip_network("192.0.2.128/25")->contains(address_of("192.0.2.128")));
  EXPECT_FALSE(parse_ip_network("192.0.2.128/25")->contains(address_of("192.0.2.127")));
  for (const std::string_view wrong :
       {"", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "a/8"}) {
    EXPECT_FALSE(parse_ip_network(wrong).has_value()) << wrong;
  }
}

// ---- Rules -----------------------------------------------------------------------------------

TEST(WebhookRules, NamePortsAndNetworks) {
  const WebhookRules rules = rules_of("80, 8000-8002", "127.0.0.1");
  EXPECT_TRUE(check_webhook_url(rules, "http://127.0.0.1:8002/").has_value());
  EXPECT_TRUE(check_webhook_url(rules, "http://8.8.8.8/").has_value());
  EXPECT_FALSE(check_webhook_url(rules, "http://127.0.0.1:8003/").has_value());
  EXPECT_FALSE(check_webhook_url(rules, "http://127.0.0.2:8002/").has_value());
  // Where inner networks are allowed, the address decides, when it is known.
  EXPECT_TRUE(check_webhook_url(rules, "http://localhost/").has_value());
}

TEST(WebhookRules, AreCheckedWhenTheServiceStarts) {
  for (const std::string_view ports : {"0", "65536", "80-", "90-80", "http", "-"}) {
    Settings settings;
    settings.webhook_ports = ports;
    EXPECT_FALSE(webhook_rules(settings).has_value()) << ports;
  }
  Settings settings;
  settings.webhook_allow = "localhost";
  EXPECT_FALSE(webhook_rules(settings).has_value());
}

}  // namespace
}  // namespace belljar::api
