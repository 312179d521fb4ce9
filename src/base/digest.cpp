#include "base/digest.h"

#include <sodium.h>

#include "base/check.h"

namespace belljar {
namespace {

// Chooses the implementations for this processor; without it the first calls may race.
void initialise() {
  static const bool done = sodium_init() >= 0;
  CHECK(done);
}

std::string_view as_text(const Digest& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Digest digest(std::string_view text) {
  initialise();
  Digest out{};
  crypto_generichash(out.data(), out.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), nullptr, 0);
  return out;
}

Digest digest(std::span<const std::string_view> texts) {
  // A digest has one length, so the joined digests have one reading.
  std::string joined;
  for (const std::string_view text : texts) joined += as_text(digest(text));
  return digest(joined);
}

std::string hex(const Digest& bytes) {
  std::string text(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

}  // namespace belljar
