#include "api/caller.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace belljar::api {

bool Caller::may(std::string_view scope) const {
  if (!key) return scope != "admin";
  return std::ranges::any_of(
      key->scopes, [scope](const std::string& each) { return each == "*" || each == scope; });
}

std::string address_of(const std::string& text) {
  in6_addr six{};
  if (::inet_pton(AF_INET6, text.c_str(), &six) != 1) return text;
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    std::array<char, INET_ADDRSTRLEN> four{};
    ::inet_ntop(AF_INET, &six.s6_addr[12], four.data(), four.size());
    return four.data();
  }
  std::fill(std::begin(six.s6_addr) + 8, std::end(six.s6_addr), 0);
  std::array<char, INET6_ADDRSTRLEN> network{};
  ::inet_ntop(AF_INET6, &six, network.data(), network.size());
  return std::string(network.data()) + "/64";
}

}  // namespace belljar::api
