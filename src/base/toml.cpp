#include "base/toml.h"

#include <algorithm>
#include <string>

#include "base/text.h"

namespace belljar {
namespace {

std::unexpected<Error> wrong_line(std::size_t line, std::string_view what) {
  return fail(Code::kInvalid, "line " + std::to_string(line) + ": " + std::string(what));
}

Status check_bytes(std::string_view text) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.pop_back();
    std::erase(line, '\t');
    if (!is_valid_utf8(line)) return wrong_line(number, "not valid UTF-8");
    if (has_control_character(line)) return wrong_line(number, "a control character");
  }
  return {};
}

}  // namespace

Result<toml::table> parse_toml(std::string_view text) {
  TRY(check_bytes(text));
  toml::parse_result parsed = toml::parse(text);
  if (parsed) return std::move(parsed).table();
  const toml::parse_error& error = parsed.error();
  return wrong_line(error.source().begin.line, error.description());
}

std::unexpected<Error> fail_at(const TomlEntry& entry, std::string_view message) {
  return fail(Code::kInvalid, entry.path + " (line " +
                                  std::to_string(entry.node.source().begin.line) +
                                  "): " + std::string(message));
}

Result<std::string> read_string(const TomlEntry& entry) {
  const auto* const value = entry.node.as_string();
  if (value == nullptr) return fail_at(entry, "must be a string");
  return value->get();
}

Result<std::string> read_name(const TomlEntry& entry) {
  constexpr std::size_t kMaxBytes = 64;
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  TRY_ASSIGN(std::string name, read_string(entry));
  if (name.empty() || name.size() > kMaxBytes ||
      name.find_first_not_of(kAllowed) != std::string::npos) {
    return fail_at(entry, "must be 1 to 64 lower-case letters, digits and hyphens");
  }
  return name;
}

}  // namespace belljar
