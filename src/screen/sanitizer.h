// What a program wrote, made fit for a client: valid UTF-8 without the sequences that steer a
// terminal, and no longer than asked for.
//
// Works on a stream: in pieces of any size, the joined result is the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace belljar::screen {

struct SanitizerOptions {
  bool csi = true;  // strip ESC [ …: colours, cursor, erasing
  bool strings =
      true;  // strip OSC, DCS, SOS, PM, APC with what they carry: titles, clipboard, links
  bool escapes = true;  // strip all else that begins with ESC, such as ESC c
  // Strip C1 controls, as bytes 0x80–0x9f and as UTF-8, and take them for the sequences that they
  // begin. Where this is off, such a character is text and such a byte is U+FFFD.
  bool c1 = true;

  // Characters of the result, the note aside. What is longer is cut, and the note is appended.
  std::uint64_t max_characters = std::numeric_limits<std::uint64_t>::max();
  std::string note = "\n... [output truncated]";
};

// secure-sandbox's: 102400 characters; CSI and two-character escapes, so that of an OSC only its
// first two characters are taken away.
SanitizerOptions secure_sandbox_sanitizer();

// Ill-formed UTF-8 becomes U+FFFD as in repair_utf8(). A cut splits no character, no CR LF, and no
// sequence that was let through. A sequence that is not finished is not let through; a string ends
// at the end of its line, so that one without an end does not swallow what follows.
class Sanitizer {
 public:
  explicit Sanitizer(SanitizerOptions options = {}) : options_(std::move(options)) {}

  std::string feed(std::string_view bytes);
  std::string finish();  // what is left at the end; the sanitizer is then used up
  bool truncated() const { return truncated_; }

 private:
  enum class State : std::uint8_t {
    kText,
    kReturn,  // after CR
    kEscape,  // after ESC
    kIntermediate,
    kCsi,
    kString,
    kStringEscape,  // after ESC in a string
  };

  void put_all(std::string_view bytes, bool at_end);
  void put(char32_t code, std::string_view bytes);
  void put_text(char32_t code, std::string_view bytes);
  void put_escape(char32_t code, std::string_view bytes);
  void begin(State state, bool strip, std::string_view bytes);
  void hold(std::string_view bytes);
  void end_sequence(bool whole);
  void emit(std::string_view bytes, std::uint64_t characters);

  SanitizerOptions options_;
  State state_ = State::kText;
  std::string pending_;  // the start of a character
  std::string held_;     // a CR, or a sequence that will be let through when it is whole
  std::uint64_t held_characters_ = 0;
  bool stripping_ = false;  // the sequence is not held but thrown away
  std::uint64_t characters_ = 0;
  bool truncated_ = false;
  std::string out_;
};

// The same for one whole text.
std::string sanitize(std::string_view bytes, const SanitizerOptions& options);

}  // namespace belljar::screen
