#include "screen/sanitizer.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace belljar::screen {
namespace {

constexpr char32_t kEsc = 0x1b;
constexpr std::size_t kLongestHeld = 4096;  // a longer sequence is thrown away

bool is_between(char32_t code, char32_t first, char32_t last) {
  return code >= first && code <= last;
}

// ESC ] P X ^ _: what begins a string, by its second character.
bool begins_string(char32_t code) {
  return code == ']' || code == 'P' || code == 'X' || code == '^' || code == '_';
}

}  // namespace

SanitizerOptions secure_sandbox_sanitizer() {
  return {.strings = false, .c1 = false, .max_characters = 102400};
}

std::string Sanitizer::feed(std::string_view bytes) {
  std::string joined;
  if (!pending_.empty()) {
    joined = std::exchange(pending_, {});
    joined += bytes;
    bytes = joined;
  }
  put_all(bytes, false);
  return std::exchange(out_, {});
}

std::string Sanitizer::finish() {
  put_all(std::exchange(pending_, {}), true);
  if (state_ == State::kReturn) end_sequence(true);
  return std::exchange(out_, {});
}

void Sanitizer::put_all(std::string_view bytes, bool at_end) {
  while (!bytes.empty() && !truncated_) {
    if (state_ == State::kText) {
      // Most output is this.
      const std::uint64_t room = options_.max_characters - characters_;
      const std::size_t most = std::min<std::uint64_t>(bytes.size(), room);
      const auto* const stop = std::find_if_not(bytes.begin(), bytes.begin() + most, [](char c) {
        return (c >= ' ' && c <= '~') || c == '\n' || c == '\t';
      });
      const auto plain = static_cast<std::size_t>(stop - bytes.begin());
      emit(bytes.substr(0, plain), plain);
      bytes.remove_prefix(plain);
      if (bytes.empty()) return;
    }
    const Utf8Unit unit = decode_utf8(bytes);
    const std::string_view part = bytes.substr(0, unit.length);
    if (unit.kind == Utf8Unit::Kind::kIncomplete && !at_end) {
      pending_ = part;
      return;
    }
    const auto first = static_cast<unsigned char>(part[0]);
    if (unit.kind == Utf8Unit::Kind::kCharacter) {
      put(unit.code, part);
    } else if (options_.c1 && unit.length == 1 && is_between(first, 0x80, 0x9f)) {
      // An 8-bit control. What is let through is its UTF-8 form.
      const char form[] = {'\xc2', part[0]};
      put(first, {form, 2});
    } else {
      put(0xfffd, "\xef\xbf\xbd");
    }
    bytes.remove_prefix(unit.length);
  }
}

void Sanitizer::put(char32_t code, std::string_view bytes) {
  switch (state_) {
    case State::kText:
      return put_text(code, bytes);
    case State::kReturn:
      if (code != '\n') {
        end_sequence(true);
        return put_text(code, bytes);
      }
      hold(bytes);
      return end_sequence(true);
    case State::kEscape:
      return put_escape(code, bytes);
    case State::kIntermediate:
    case State::kCsi: {
      const bool parameter =
          state_ == State::kCsi ? is_between(code, 0x20, 0x3f) : is_between(code, 0x20, 0x2f);
      if (parameter) return hold(bytes);
      if (is_between(code, 0x30, 0x7e)) {
        hold(bytes);
        return end_sequence(true);
      }
      break;
    }
    case State::kStringEscape:
      if (code == '\\') {
        hold(bytes);
        return end_sequence(true);
      }
      // Another sequence, which ends this one.
      end_sequence(false);
      begin(State::kEscape, false, "\x1b");
      return put_escape(code, bytes);
    case State::kString:
      if (code == 0x07) {
        hold(bytes);
        return end_sequence(true);
      }
      if (options_.c1 && code == 0x9c) {
        // A string that is let through ends in ASCII: the C1 control itself is stripped.
        hold("\x1b");
        hold("\\");
        return end_sequence(true);
      }
      if (code == kEsc) {
        state_ = State::kStringEscape;
        return hold(bytes);
      }
      if (code != '\n' && code != '\r' && code != 0x18 && code != 0x1a &&
          !(options_.c1 && is_between(code, 0x80, 0x9f))) {
        return hold(bytes);
      }
      break;
  }
  // What cannot stand in the sequence ends it.
  end_sequence(false);
  put_text(code, bytes);
}

void Sanitizer::put_text(char32_t code, std::string_view bytes) {
  if (code == kEsc) return begin(State::kEscape, false, bytes);
  if (code == '\r') return begin(State::kReturn, false, bytes);
  if (options_.c1 && is_between(code, 0x80, 0x9f)) {
    if (code == 0x9b) return begin(State::kCsi, true, bytes);
    if (code == 0x90 || code == 0x98 || is_between(code, 0x9d, 0x9f)) {
      begin(State::kString, true, bytes);
    }
    return;
  }
  emit(bytes, 1);
}

// The character after ESC says which kind of sequence it is.
void Sanitizer::put_escape(char32_t code, std::string_view bytes) {
  if (code == '[') {
    stripping_ = options_.csi;
    state_ = State::kCsi;
    return hold(bytes);
  }
  if (begins_string(code) && (options_.strings || !options_.escapes)) {
    stripping_ = options_.strings;
    state_ = State::kString;
    return hold(bytes);
  }
  stripping_ = options_.escapes;
  if (is_between(code, 0x20, 0x2f)) {
    state_ = State::kIntermediate;
    return hold(bytes);
  }
  if (is_between(code, 0x30, 0x7e)) {
    hold(bytes);
    return end_sequence(true);
  }
  end_sequence(false);
  put_text(code, bytes);
}

void Sanitizer::begin(State state, bool strip, std::string_view bytes) {
  state_ = state;
  stripping_ = strip;
  held_ = bytes;
  held_characters_ = 1;
}

void Sanitizer::hold(std::string_view bytes) {
  if (stripping_ || held_.size() + bytes.size() > kLongestHeld) {
    stripping_ = true;
    return;
  }
  held_ += bytes;
  ++held_characters_;
}

void Sanitizer::end_sequence(bool whole) {
  state_ = State::kText;
  if (whole && !stripping_) emit(held_, held_characters_);
  held_.clear();
  held_characters_ = 0;
  stripping_ = false;
}

// All of `bytes` or nothing.
void Sanitizer::emit(std::string_view bytes, std::uint64_t characters) {
  if (truncated_ || characters == 0) return;
  if (characters > options_.max_characters - characters_) {
    truncated_ = true;
    out_ += options_.note;
    return;
  }
  characters_ += characters;
  out_ += bytes;
}

std::string sanitize(std::string_view bytes, const SanitizerOptions& options) {
  Sanitizer sanitizer(options);
  std::string out = sanitizer.feed(bytes);
  out += sanitizer.finish();
  return out;
}

}  // namespace belljar::screen
