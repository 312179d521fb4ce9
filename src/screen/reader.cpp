#include "screen/reader.h"

#include <algorithm>

namespace belljar::screen {
namespace {

constexpr std::size_t kMostDefinitions = 4096;
constexpr std::size_t kLongestName = 256;

std::string utf8_of(char32_t code) {
  std::string out;
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
  return out;
}

// Digits of a base at the start of `text`, between `fewest` and `most` of them.
std::optional<char32_t> take_number(std::string_view& text,
                                    unsigned base,
                                    std::size_t fewest,
                                    std::size_t most) {
  char32_t value = 0;
  std::size_t count = 0;
  for (; count < std::min(most, text.size()); ++count) {
    const char c = text[count];
    unsigned digit = base;
    if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A' + 10);
    if (digit >= base) break;
    value = value * base + digit;
  }
  if (count < fewest || value > 0x10ffff) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

bool is_comment(TSNode node) {
  const std::string_view type = type_of(node);
  return type == "comment" || type == "line_comment" || type == "block_comment";
}

}  // namespace

std::string_view type_of(TSNode node) {
  return ts_node_is_null(node) ? std::string_view() : ts_node_type(node);
}

bool is(TSNode node, std::string_view type) {
  return type_of(node) == type;
}

TSNode field(TSNode node, std::string_view name) {
  return ts_node_child_by_field_name(node, name.data(), static_cast<std::uint32_t>(name.size()));
}

TSNode named_child(TSNode node, std::uint32_t index) {
  if (ts_node_is_null(node)) return node;
  bool comments = false;
  TSNode child{};
  for (std::uint32_t i = 0; i <= index && !comments; ++i) {
    child = ts_node_named_child(node, i);
    comments = is_comment(child);
  }
  if (!comments) return child;
  // A cursor passes any number of comments in linear time.
  child = TSNode{};
  TSTreeCursor cursor = ts_tree_cursor_new(node);
  std::uint32_t seen = 0;
  for (bool more = ts_tree_cursor_goto_first_child(&cursor); more;
       more = ts_tree_cursor_goto_next_sibling(&cursor)) {
    const TSNode next = ts_tree_cursor_current_node(&cursor);
    if (!ts_node_is_named(next) || is_comment(next) || seen++ != index) continue;
    child = next;
    break;
  }
  ts_tree_cursor_delete(&cursor);
  return child;
}

TSNode last_named_child(TSNode node) {
  const std::uint32_t count = ts_node_named_child_count(node);
  return ts_node_named_child(node, count == 0 ? 0 : count - 1);
}

Names below(Names objects, std::string_view member) {
  for (std::string& object : objects) (object += '.') += member;
  std::erase_if(objects, [](const std::string& name) { return name.size() > kLongestName; });
  return objects;
}

void append(Names& names, Names more) {
  for (std::string& name : more) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
}

bool strip_prefix(std::string& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.erase(0, prefix.size());
  return true;
}

std::string without_blanks(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kLongestName)) {
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\v') out += c;
  }
  return out;
}

std::optional<std::string> take_escape(std::string_view& text) {
  constexpr std::string_view kLetters = "abfnrtv\\'\"`/$?";
  constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\'\"`/$?";
  if (text.size() < 2) return std::nullopt;
  const char kind = text[1];
  text.remove_prefix(2);
  std::optional<char32_t> code;
  if (kind == 'x') {
    code = take_number(text, 16, 1, 2);
  } else if (kind == 'u' && text.starts_with('{')) {
    text.remove_prefix(1);
    code = take_number(text, 16, 1, 6);
    if (!text.starts_with('}')) return std::nullopt;
    text.remove_prefix(1);
  } else if (kind == 'u') {
    code = take_number(text, 16, 4, 4);
  } else if (kind == 'U') {
    code = take_number(text, 16, 8, 8);
  } else if (kind >= '0' && kind <= '7') {
    text = std::string_view(text.data() - 1, text.size() + 1);
    code = take_number(text, 8, 1, 3);
  } else if (kind == '\n') {
    return "";
  } else if (const std::size_t at = kLetters.find(kind); at != std::string_view::npos) {
    return std::string(1, kValues[at]);
  }
  if (!code) return std::nullopt;
  return utf8_of(*code);
}

bool Reader::goes_on(TSNode node, int depth) const {
  constexpr int kMostSteps = 200;
  if (depth == 0) steps_ = 0;
  return !ts_node_is_null(node) && depth < kDeepest && steps_++ < kMostSteps;
}

std::string_view Reader::text(TSNode node) const {
  if (ts_node_is_null(node)) return {};
  const std::uint32_t begin = ts_node_start_byte(node);
  return source_.text().substr(begin, ts_node_end_byte(node) - begin);
}

bool Reader::mention(RuleKind kind, std::string_view name, TSNode at, TSNode whole) const {
  return sink_({.kind = kind, .name = name, .at = at, .whole = whole});
}

void Reader::define(std::string_view name, const Names& meanings) {
  if (name.empty() || name.size() > kLongestName) return;
  auto known = meanings_.find(name);
  if (known == meanings_.end()) {
    if (meanings.empty() || meanings_.size() == kMostDefinitions) return;
    known = meanings_.emplace(name, Names()).first;
  }
  for (const std::string& meaning : meanings) {
    if (known->second.size() == kMostNames) return;
    if (meaning != name) append(known->second, {meaning});
  }
}

Names Reader::meanings(std::string_view name) const {
  Names names{std::string(name.substr(0, kLongestName))};
  if (const auto known = meanings_.find(name); known != meanings_.end()) {
    append(names, known->second);
  }
  return names;
}

Names Reader::either(TSNode one, TSNode other, int depth) const {
  Names names = names_of(one, depth);
  if (names.size() < kMostNames) append(names, names_of(other, depth));
  if (names.size() > kMostNames) names.resize(kMostNames);
  return names;
}

}  // namespace belljar::screen
