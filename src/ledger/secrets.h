// Names nobody can guess, and digests. Every call is safe from several threads.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace belljar::ledger {

using Digest = std::array<unsigned char, 32>;  // BLAKE2b-256

// `bytes` random bytes as lower-case hexadecimal.
std::string random_hex(std::size_t bytes);
// The prefix and 128 random bits: an id that cannot be guessed.
std::string new_id(std::string_view prefix);

Digest digest(std::string_view text);
// Of several texts and where each ends: ("ab", "c") and ("a", "bc") differ.
Digest digest(std::span<const std::string_view> texts);
// HMAC-SHA256 (RFC 2104) as lower-case hexadecimal.
std::string hmac_sha256_hex(std::string_view key, std::string_view text);
// In constant time.
bool equal(const Digest& a, const Digest& b);

}  // namespace belljar::ledger
