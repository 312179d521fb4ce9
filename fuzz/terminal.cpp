// What a program writes to a terminal: any split gives the same text, and nothing in it steers.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belljar;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = escape_for_terminal(bytes);
  CHECK(is_valid_utf8(whole));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto byte = static_cast<unsigned char>(whole[i]);
    const bool line_end = byte == '\r' && i + 1 < whole.size() && whole[i + 1] == '\n';
    CHECK(byte >= 0x20 || byte == '\n' || byte == '\t' || line_end);
    CHECK(byte != 0x7f);
  }
  TerminalEscaper escaper;
  const std::size_t step = 1 + data[0] % 7U;
  std::string pieces;
  for (std::size_t at = 0; at < bytes.size(); at += step)
    pieces += escaper.feed(bytes.substr(at, step));
  pieces += escaper.finish();
  CHECK(pieces == whole);
  CHECK(is_valid_utf8(repair_utf8(bytes)));
  return 0;
}
