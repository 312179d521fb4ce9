// A program's output for a client: any split gives the same text, which is valid, is no longer than
// asked for, and keeps nothing that was to be stripped.
#include "screen/sanitizer.h"

#include <cstdint>

#include "base/check.h"
#include "base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belljar;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  screen::SanitizerOptions options{.csi = (data[0] & 1U) != 0,
                                   .strings = (data[0] & 2U) != 0,
                                   .escapes = (data[0] & 4U) != 0,
                                   .c1 = (data[0] & 8U) != 0,
                                   .note = ""};
  if ((data[0] & 16U) != 0) options.max_characters = data[1];
  const std::string whole = screen::sanitize(bytes, options);
  CHECK(is_valid_utf8(whole));
  std::uint64_t characters = 0;
  for (std::string_view rest = whole; !rest.empty(); ++characters) {
    const Utf8Unit unit = decode_utf8(rest);
    if (options.c1) CHECK(unit.code < 0x80 || unit.code > 0x9f);
    rest.remove_prefix(unit.length);
  }
  CHECK(characters <= options.max_characters);
  if (options.csi && options.strings && options.escapes) {
    CHECK(whole.find('\x1b') == std::string::npos);
  }
  screen::Sanitizer sanitizer(options);
  const std::size_t step = 1 + data[1] % 7U;
  std::string pieces;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    pieces += sanitizer.feed(bytes.substr(at, step));
    CHECK(is_valid_utf8(pieces));
  }
  pieces += sanitizer.finish();
  CHECK(pieces == whole);
  return 0;
}
