#include "screen/source.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"

namespace belljar::screen {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kBlanks = " \t\f";
constexpr auto kNowhere = std::string_view::npos;

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// PEP 263: a comment in the first or second line that says coding=NAME or coding:NAME.
std::optional<std::string> coding_of(std::string_view line) {
  const std::size_t comment = line.find_first_not_of(kBlanks);
  if (comment == kNowhere || line[comment] != '#') return std::nullopt;
  for (std::size_t at = comment; (at = line.find("coding", at)) != kNowhere;) {
    at += 6;
    if (at == line.size() || (line[at] != ':' && line[at] != '=')) continue;
    const std::size_t begin = line.find_first_not_of(" \t", at + 1);
    if (begin == kNowhere) return std::nullopt;
    std::string name;
    for (const char c : line.substr(begin)) {
      const bool upper = c >= 'A' && c <= 'Z';
      const bool word =
          upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
      if (!word && c != '_') break;
      name += c == '_' ? '-' : static_cast<char>(upper ? c - 'A' + 'a' : c);
    }
    if (!name.empty()) return name;
  }
  return std::nullopt;
}

bool is_blank_or_comment(std::string_view line) {
  const std::size_t first = line.find_first_not_of(kBlanks);
  return first == kNowhere || line[first] == '#' || line[first] == '\r';
}

// The declared encoding, lines ending at any of `line_ends`.
std::optional<std::string> declared_coding(std::string_view text, std::string_view line_ends) {
  for (int line = 0; line < 2; ++line) {
    const std::size_t end = std::min(text.find_first_of(line_ends), text.size());
    const std::string_view content = text.substr(0, end);
    if (auto coding = coding_of(content)) return coding;
    if (!is_blank_or_comment(content) || end == text.size()) return std::nullopt;
    const bool pair = text.substr(end).starts_with("\r\n") && line_ends.size() == 2;
    text.remove_prefix(end + (pair ? 2 : 1));
  }
  return std::nullopt;
}

bool is_utf8_name(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames{"utf-8", "utf8", "u8", "utf", "utf-8-sig"};
  return std::ranges::find(kNames, name) != kNames.end();
}

// What stands at the start of `bytes` and is read as something else, or nothing.
struct Change {
  std::size_t length;  // bytes that it takes up
  std::string text;    // what is read in their place
};

std::optional<Change> spliced_line(std::string_view bytes) {
  if (bytes[0] != '\\') return std::nullopt;
  std::size_t at = bytes.find_first_not_of(" \t\f\v", 1);  // compilers forgive blanks here
  if (at == kNowhere || (bytes[at] != '\n' && bytes[at] != '\r')) return std::nullopt;
  at += bytes.substr(at).starts_with("\r\n") ? 2 : 1;
  return Change{.length = at, .text = ""};
}

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Java's unicode escapes come before everything else, newlines and quotes included.
std::optional<Change> java_escape(std::string_view bytes) {
  if (!bytes.starts_with("\\u")) return std::nullopt;
  const std::size_t digits = bytes.find_first_not_of('u', 1);
  if (digits == kNowhere || bytes.size() - digits < 4) return std::nullopt;
  const std::string_view hex = bytes.substr(digits, 4);
  if (!std::ranges::all_of(hex, is_hex)) return std::nullopt;
  const auto code = static_cast<unsigned>(std::stoul(std::string(hex), nullptr, 16));
  Change change{.length = digits + 4, .text = ""};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code == '\r' || code == '\n') {
    change.text = "\n";
  } else {
    append_utf8(change.text, surrogate || code == 0 ? 0xfffd : code);
  }
  return change;
}

}  // namespace

Source::Source(Dialect dialect, std::string_view bytes) : bytes_(bytes) {
  const std::size_t mark = bytes.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  line_starts_.push_back(mark);
  for (std::size_t at = mark; (at = bytes.find_first_of("\r\n", at)) != kNowhere;) {
    at += bytes.substr(at).starts_with("\r\n") ? 2 : 1;
    line_starts_.push_back(at);
  }
  if (!is_valid_utf8(bytes)) {
    obstacles_.push_back({.rule = "not-utf8", .reason = "the file is not UTF-8", .place = {}});
  }
  if (const std::size_t nul = bytes.find('\0'); nul != kNowhere) {
    obstacles_.push_back({.rule = "nul",
                          .reason = "the file has a NUL byte, after which readers differ",
                          .place = place_in_bytes(nul)});
  }
  if (dialect == Dialect::kPython) {
    const std::string_view head = bytes.substr(mark);
    for (const std::string_view line_ends : {"\n", "\r\n"}) {
      const std::optional<std::string> coding = declared_coding(head, line_ends);
      if (!coding || is_utf8_name(*coding)) continue;
      obstacles_.push_back({.rule = "encoding",
                            .reason = "the file declares the encoding " + quote(*coding) +
                                      " and would be read as something else than UTF-8",
                            .place = {}});
      break;
    }
  }
  text_.reserve(bytes.size());
  pieces_.push_back({.text = 0, .bytes = mark});
  translate(dialect);
}

void Source::translate(Dialect dialect) {
  std::size_t at = pieces_.front().bytes;
  while (at < bytes_.size()) {
    const std::size_t next = std::min(bytes_.find_first_of("\\\r", at), bytes_.size());
    text_.append(bytes_, at, next - at);
    at = next;
    if (at == bytes_.size()) return;
    const std::string_view rest = bytes_.substr(at);
    std::optional<Change> change;
    if (rest[0] == '\r') {
      // A newline of its own for Python, Java and JavaScript; some C compilers differ.
      if (rest.starts_with("\r\n")) {
        text_ += "\r\n";
        at += 2;
      } else {
        text_ += '\n';
        ++at;
      }
      continue;
    }
    if (dialect == Dialect::kC || dialect == Dialect::kCpp) change = spliced_line(rest);
    if (dialect == Dialect::kJava) {
      // "\\u0041" is a backslash that is escaped, and a letter u.
      if (rest.starts_with("\\\\")) change = Change{.length = 2, .text = "\\\\"};
      if (!change) change = java_escape(rest);
    }
    if (!change) {
      text_ += '\\';
      ++at;
      continue;
    }
    text_ += change->text;
    at += change->length;
    if (change->length != change->text.size()) pieces_.push_back({text_.size(), at});
  }
}

std::size_t Source::origin(std::size_t text_offset) const {
  const auto piece = std::ranges::upper_bound(pieces_, text_offset, {}, &Piece::text) - 1;
  return std::min(piece->bytes + (text_offset - piece->text), bytes_.size());
}

Place Source::place_in_bytes(std::size_t offset) const {
  const auto line = std::ranges::upper_bound(line_starts_, offset) - 1;
  const std::string_view before = bytes_.substr(*line, offset - *line);
  const auto characters = std::ranges::count_if(
      before, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  return {.line = static_cast<std::size_t>(line - line_starts_.begin()) + 1,
          .column = static_cast<std::size_t>(characters) + 1,
          .offset = before.size()};
}

Place Source::place(std::size_t text_offset) const {
  return place_in_bytes(origin(text_offset));
}

std::string Source::quoted(std::size_t text_begin, std::size_t text_end) const {
  constexpr std::size_t kShown = 80;
  const std::size_t begin = origin(text_begin);
  const std::string_view whole = bytes_.substr(begin, std::max(origin(text_end), begin) - begin);
  const std::string_view shown = cut_utf8(whole, kShown);
  return repair_utf8(shown) + (shown.size() < whole.size() ? "…" : "");
}

}  // namespace belljar::screen
