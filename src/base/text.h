// Text that came from a program: made valid, made harmless, measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belljar {

// The first character of a text that is not empty.
struct Utf8Unit {
  enum class Kind : std::uint8_t {
    kCharacter,
    kIllFormed,
    kIncomplete,  // well-formed so far, but the bytes end here
  } kind;
  char32_t code = 0;       // of a character
  std::size_t length = 1;  // bytes: of the character, or of the maximal ill-formed part
};
Utf8Unit decode_utf8(std::string_view bytes);
bool is_valid_utf8(std::string_view bytes);
// Every maximal part of an ill-formed sequence becomes one U+FFFD, as Unicode recommends (chapter
// 3.9) and Python and the browsers do.
std::string repair_utf8(std::string_view bytes);
// C0, DEL, or C1 in its two-byte form.
bool has_control_character(std::string_view bytes);
std::string base64_encode(std::string_view bytes);
// RFC 4648, section 4: padded, without white space; nothing where the text is anything else.
std::optional<std::string> base64_decode(std::string_view text);

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

// JSON text in which what TerminalEscaper would escape is written \uXXXX: the same JSON value,
// harmless to look at. The input is valid JSON, whose own escapes already cover C0.
std::string escape_json_for_terminal(std::string_view json);

// Untrusted text as part of a one-line message: in single quotes, everything escaped, newline too,
// and cut where it is long.
std::string quote(std::string_view bytes);

// ASCII letters in lower case, every other byte as it is.
std::string ascii_lower(std::string_view text);
// Without the blanks (U+0020) at both ends.
std::string_view trim_blanks(std::string_view text);
// The parts between commas, each without blanks around it, those that are empty left out.
std::vector<std::string_view> comma_list(std::string_view text);

// Cuts to at most `limit` bytes without splitting a UTF-8 character.
std::string_view cut_utf8(std::string_view bytes, std::size_t limit);
// Without the beginning of a character at the end: for text that was cut at a count of bytes.
std::string_view drop_incomplete_end(std::string_view bytes);

}  // namespace belljar
