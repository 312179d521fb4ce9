// Text that came from a program: made valid, made harmless, measured.
#pragma once

#include <string>
#include <string_view>

namespace belljar {

bool is_valid_utf8(std::string_view bytes);
// Every maximal invalid sequence becomes one U+FFFD.
std::string repair_utf8(std::string_view bytes);
std::string base64_encode(std::string_view bytes);

// Makes bytes safe for a terminal: C0 and C1 controls (also as UTF-8), ESC, DEL, bidirectional and
// zero-width characters and tag characters become visible escapes such as "\x1b" or "\u202e";
// newline and tab stay; carriage return stays only before a newline. Works on a stream: feed it in
// pieces of any size and the joined result is the same.
class TerminalEscaper {
 public:
  std::string feed(std::string_view bytes);
  std::string finish();  // what an incomplete character at the end becomes

 private:
  std::string pending_;  // the start of a character, or a carriage return, that is not decided yet
};
// The same for one whole text.
std::string escape_for_terminal(std::string_view bytes);

// Cuts to at most `limit` bytes without splitting a UTF-8 character.
std::string_view cut_utf8(std::string_view bytes, std::size_t limit);

}  // namespace belljar
