// Caller: who asks, and what they may.
#pragma once

#include <optional>
#include <string>

#include "ledger/store.h"

namespace belljar::api {

struct Caller {
  std::string id;       // a key's id, or "ip:<address>"; runs belong to it
  std::string address;  // where the request came from, IPv6 by its /64
  std::optional<ledger::Key> key;

  // Whether a key allows `scope`; without a key everything but administration is allowed.
  [[nodiscard]] bool may(std::string_view scope) const;
};

// An address as callers are told apart by it: IPv6 by its /64, where one host has as many addresses
// as it likes; IPv4 also where it is written as IPv6. Other text stays as it is.
std::string address_of(const std::string& text);

}  // namespace belljar::api
