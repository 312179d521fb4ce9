#include "ledger/secrets.h"

#include <sodium.h>

#include <array>

#include "base/check.h"

namespace belljar::ledger {
namespace {

// Chooses the implementations for this processor; without it the first calls may race.
void initialise() {
  static const bool done = sodium_init() >= 0;
  CHECK(done);
}

}  // namespace

std::string random_hex(std::size_t bytes) {
  initialise();
  std::string raw(bytes, '\0');
  randombytes_buf(raw.data(), raw.size());
  std::string text(2 * bytes + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), reinterpret_cast<const unsigned char*>(raw.data()),
                 raw.size());
  sodium_memzero(raw.data(), raw.size());
  text.pop_back();
  return text;
}

std::string new_id(std::string_view prefix) {
  return std::string(prefix) + random_hex(16);
}

std::string hmac_sha256_hex(std::string_view key, std::string_view text) {
  initialise();
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, reinterpret_cast<const unsigned char*>(key.data()),
                              key.size());
  crypto_auth_hmacsha256_update(&state, reinterpret_cast<const unsigned char*>(text.data()),
                                text.size());
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> tag{};
  crypto_auth_hmacsha256_final(&state, tag.data());
  sodium_memzero(&state, sizeof state);
  std::string hex(2 * tag.size() + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), tag.data(), tag.size());
  hex.pop_back();
  return hex;
}

bool equal(const Digest& a, const Digest& b) {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace belljar::ledger
