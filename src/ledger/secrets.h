// Names nobody can guess, and what is signed with a key. Every call is safe from several threads.
#pragma once

#include <string>
#include <string_view>

#include "base/digest.h"

namespace belljar::ledger {

using belljar::Digest;
using belljar::digest;

// `bytes` random bytes as lower-case hexadecimal.
std::string random_hex(std::size_t bytes);
// The prefix and 128 random bits: an id that cannot be guessed.
std::string new_id(std::string_view prefix);

// HMAC-SHA256 (RFC 2104) as lower-case hexadecimal.
std::string hmac_sha256_hex(std::string_view key, std::string_view text);
// In constant time.
bool equal(const Digest& a, const Digest& b);

}  // namespace belljar::ledger
