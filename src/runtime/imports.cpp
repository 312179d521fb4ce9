#include "runtime/imports.h"

#include <algorithm>

namespace belljar::runtime {
namespace {

// Of UTF-8 too: an identifier may go on with any letter.
bool is_of_word(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c >= 0x80;
}

bool has_word(std::string_view line, const std::vector<std::string_view>& words) {
  auto at = line.begin();
  while (at != line.end()) {
    const auto begin = std::find_if(at, line.end(), is_of_word);
    at = std::find_if_not(begin, line.end(), is_of_word);
    if (std::ranges::find(words, std::string_view(begin, at)) != words.end()) return true;
  }
  return false;
}

bool imports_any(std::string_view text, const std::vector<std::string_view>& names) {
  std::size_t at = 0;
  while ((at = text.find("import", at)) != text.npos) {
    const std::size_t before = text.rfind('\n', at);
    const std::size_t begin = before == text.npos ? 0 : before + 1;
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (has_word(text.substr(begin, end - begin), names)) return true;
    at = end;
  }
  return false;
}

}  // namespace

bool imports_any(const std::vector<std::string_view>& texts,
                 const std::vector<std::string>& modules) {
  if (modules.empty()) return false;
  std::vector<std::string_view> names;
  for (const std::string_view module : modules) names.push_back(module.substr(0, module.find('.')));
  std::size_t left = kMostSearched;
  return std::ranges::any_of(texts, [&](std::string_view text) {
    const std::string_view part = text.substr(0, left);
    left -= part.size();
    return imports_any(part, names);
  });
}

}  // namespace belljar::runtime
