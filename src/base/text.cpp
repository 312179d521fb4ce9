#include "base/text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace belljar {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// What may follow a lead byte: how many bytes, and the bounds of the first of them (Unicode table
// 3-7). The bounds are what keeps overlong forms, surrogates and codes above U+10FFFF out.
struct Lead {
  std::size_t following;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
};

constexpr Lead lead_of(unsigned char byte) {
  if (byte >= 0xc2 && byte <= 0xdf) return {.following = 1};
  if (byte == 0xe0) return {.following = 2, .low = 0xa0};
  if (byte == 0xed) return {.following = 2, .high = 0x9f};
  if (byte >= 0xe1 && byte <= 0xef) return {.following = 2};
  if (byte == 0xf0) return {.following = 3, .low = 0x90};
  if (byte >= 0xf1 && byte <= 0xf3) return {.following = 3};
  if (byte == 0xf4) return {.following = 3, .high = 0x8f};
  return {.following = 0};
}

unsigned char byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

// How many ASCII bytes stand first, DEL not among them: most text is little else.
std::size_t ascii_run(std::string_view bytes) {
  const auto* const stop =
      std::ranges::find_if(bytes, [](char c) { return static_cast<unsigned char>(c) >= 0x7f; });
  return static_cast<std::size_t>(stop - bytes.begin());
}

struct Range {
  char32_t first;
  char32_t last;
};

// Characters above ASCII that drive a terminal, reorder what stands around them, or are not seen.
constexpr std::array kUnsafe{
    Range{0x80, 0x9f},        // C1 controls: CSI, OSC, DCS, …
    Range{0xad, 0xad},        // soft hyphen
    Range{0x61c, 0x61c},      // Arabic letter mark
    Range{0x180e, 0x180e},    // Mongolian vowel separator
    Range{0x200b, 0x200f},    // zero width, joiners, left-to-right and right-to-left marks
    Range{0x2028, 0x202e},    // line and paragraph separators, bidirectional embeddings, overrides
    Range{0x2060, 0x206f},    // word joiner, invisible operators, bidirectional isolates
    Range{0xfeff, 0xfeff},    // byte order mark
    Range{0xfff9, 0xfffb},    // interlinear annotations
    Range{0xe0000, 0xe0fff},  // tags and other characters that are never drawn
};

bool is_unsafe(char32_t code) {
  const auto* const range =
      std::ranges::lower_bound(kUnsafe, code, std::ranges::less{}, &Range::last);
  return range != kUnsafe.end() && code >= range->first;
}

bool is_plain_ascii(char c) {
  return (c >= ' ' && c <= '~') || c == '\n' || c == '\t';
}

void append_hex(std::string& out, char32_t value, int digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kDigits[value >> shift & 0xf];
}

void append_byte_escapes(std::string& out, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out += "\\x";
    append_hex(out, byte_at(bytes, i), 2);
  }
}

void append_code_escape(std::string& out, char32_t code) {
  const bool wide = code > 0xffff;
  out += wide ? "\\U" : "\\u";
  append_hex(out, code, wide ? 8 : 4);
}

enum class Rest : std::uint8_t { kMayFollow, kIsOver };

// Appends the escaped text and gives the number of bytes that were decided: all of them, or, where
// more may follow, all but the beginning of a character or a carriage return at the end.
std::size_t escape(std::string& out, std::string_view bytes, Rest rest) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto* const stop = std::find_if_not(bytes.begin() + at, bytes.end(), is_plain_ascii);
    const auto plain = static_cast<std::size_t>(stop - bytes.begin()) - at;
    out.append(bytes, at, plain);
    at += plain;
    if (at == bytes.size()) break;

    if (bytes[at] == '\r') {
      const bool last = at + 1 == bytes.size();
      if (last && rest == Rest::kMayFollow) return at;
      const bool line_end = !last && bytes[at + 1] == '\n';
      out += line_end ? "\r" : "\\r";
      ++at;
      continue;
    }
    const Utf8Unit next = decode_utf8(bytes.substr(at));
    if (next.kind == Utf8Unit::Kind::kIncomplete && rest == Rest::kMayFollow) return at;
    const std::string_view part = bytes.substr(at, next.length);
    if (next.kind != Utf8Unit::Kind::kCharacter || next.code < 0x80) {
      append_byte_escapes(out, part);
    } else if (is_unsafe(next.code)) {
      append_code_escape(out, next.code);
    } else {
      out += part;
    }
    at += next.length;
  }
  return at;
}

void append_utf16_escape(std::string& out, char32_t code) {
  if (code > 0xffff) {
    out += "\\u";
    append_hex(out, 0xd800 + ((code - 0x10000) >> 10), 4);
    code = 0xdc00 + ((code - 0x10000) & 0x3ff);
  }
  out += "\\u";
  append_hex(out, code, 4);
}

}  // namespace

Utf8Unit decode_utf8(std::string_view bytes) {
  const unsigned char first = byte_at(bytes, 0);
  if (first < 0x80) return {.kind = Utf8Unit::Kind::kCharacter, .code = first, .length = 1};
  Lead lead = lead_of(first);
  if (lead.following == 0) return {.kind = Utf8Unit::Kind::kIllFormed};
  char32_t code = first & (0x3fU >> lead.following);
  for (std::size_t i = 1; i <= lead.following; ++i) {
    if (i == bytes.size()) return {.kind = Utf8Unit::Kind::kIncomplete, .length = i};
    const unsigned char next = byte_at(bytes, i);
    if (next < lead.low || next > lead.high) {
      return {.kind = Utf8Unit::Kind::kIllFormed, .length = i};
    }
    code = code << 6 | (next & 0x3fU);
    lead.low = 0x80;
    lead.high = 0xbf;
  }
  return {.kind = Utf8Unit::Kind::kCharacter, .code = code, .length = lead.following + 1};
}

bool is_valid_utf8(std::string_view bytes) {
  while (true) {
    bytes.remove_prefix(ascii_run(bytes));
    if (bytes.empty()) return true;
    const Utf8Unit next = decode_utf8(bytes);
    if (next.kind != Utf8Unit::Kind::kCharacter) return false;
    bytes.remove_prefix(next.length);
  }
}

std::string repair_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (true) {
    const std::size_t plain = ascii_run(bytes);
    out += bytes.substr(0, plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) return out;
    const Utf8Unit next = decode_utf8(bytes);
    out += next.kind == Utf8Unit::Kind::kCharacter ? bytes.substr(0, next.length) : kReplacement;
    bytes.remove_prefix(next.length);
  }
}

std::optional<std::string> base64_decode(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char digit : text) {
    const std::size_t value = kDigits.find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> count & 0xff);
    }
  }
  // What is left over belongs to the padding and is zero in what an encoder wrote.
  if ((bits & ((1U << count) - 1)) != 0) return std::nullopt;
  return bytes;
}

bool has_control_character(std::string_view text) {
  char previous = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (previous == '\xc2' && byte >= 0x80 && byte <= 0x9f) return true;
    previous = c;
  }
  return false;
}

std::string base64_encode(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t given = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < given ? byte_at(bytes, at + i) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= given ? kAlphabet[group >> (18 - 6 * i) & 0x3f] : '=';
    }
  }
  return out;
}

std::string TerminalEscaper::feed(std::string_view bytes) {
  std::string joined;
  if (!pending_.empty()) {
    joined = pending_;
    joined += bytes;
    bytes = joined;
  }
  std::string out;
  out.reserve(bytes.size());
  pending_ = bytes.substr(escape(out, bytes, Rest::kMayFollow));
  return out;
}

std::string TerminalEscaper::finish() {
  std::string out;
  escape(out, pending_, Rest::kIsOver);
  pending_.clear();
  return out;
}

std::string escape_for_terminal(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  escape(out, bytes, Rest::kIsOver);
  return out;
}

std::string escape_json_for_terminal(std::string_view json) {
  constexpr char32_t kDelete = 0x7f;
  std::string out;
  out.reserve(json.size());
  while (true) {
    const std::size_t plain = ascii_run(json);
    out += json.substr(0, plain);
    json.remove_prefix(plain);
    if (json.empty()) return out;
    const Utf8Unit next = decode_utf8(json);
    if (next.code == kDelete || is_unsafe(next.code)) {
      append_utf16_escape(out, next.code);
    } else {
      out += json.substr(0, next.length);
    }
    json.remove_prefix(next.length);
  }
}

std::string quote(std::string_view bytes) {
  constexpr std::size_t kShown = 80;
  const std::string_view shown = cut_utf8(bytes, kShown);
  std::string out = "'";
  for (const char c : escape_for_terminal(shown)) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += c;
    }
  }
  return out += shown.size() < bytes.size() ? "…'" : "'";
}

std::string ascii_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view trim_blanks(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> comma_list(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (const std::string_view word = trim_blanks(part); !word.empty()) parts.push_back(word);
  }
  return parts;
}

std::string_view cut_utf8(std::string_view bytes, std::size_t limit) {
  if (bytes.size() <= limit) return bytes;
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, limit); ++back) {
    const Utf8Unit last = decode_utf8(bytes.substr(limit - back));
    if (last.kind == Utf8Unit::Kind::kCharacter && last.length > back) {
      return bytes.substr(0, limit - back);
    }
  }
  return bytes.substr(0, limit);
}

std::string_view drop_incomplete_end(std::string_view bytes) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const std::size_t cut = bytes.size() - back;
    const Utf8Unit last = decode_utf8(bytes.substr(cut));
    if (last.kind == Utf8Unit::Kind::kIncomplete) return bytes.substr(0, cut);
  }
  return bytes;
}

}  // namespace belljar
