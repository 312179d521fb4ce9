#include "runtime/imports.h"

#include <algorithm>

namespace belljar::runtime {
namespace {

// Of UTF-8 too: an identifier may go on with any letter.
bool is_of_word(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c >= 0x80;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  auto at = line.begin();
  while (at != line.end()) {
    const auto begin = std::find_if(at, line.end(), is_of_word);
    at = std::find_if_not(begin, line.end(), is_of_word);
    if (begin != at) words.emplace_back(begin, at);
  }
  return words;
}

bool any_import(std::string_view text, auto&& meets) {
  std::size_t at = 0;
  while ((at = text.find("import", at)) != text.npos) {
    const std::size_t before = text.rfind('\n', at);
    const std::size_t begin = before == text.npos ? 0 : before + 1;
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (meets(words_of(text.substr(begin, end - begin)))) return true;
    at = end;
  }
  return false;
}

bool names_another(const std::vector<std::string_view>& words,
                   const std::vector<std::string>& modules) {
  const auto is_other = [&modules](std::string_view word) {
    return std::ranges::find(modules, word) == modules.end();
  };
  if (words.size() > 2 && words[0] == "from" && words[2] == "import") return is_other(words[1]);
  return std::ranges::any_of(words, [&is_other](std::string_view word) {
    return word != "import" && word != "as" && is_other(word);
  });
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
    return any_import(part, [&names](const std::vector<std::string_view>& words) {
      return std::ranges::find_first_of(words, names) != words.end();
    });
  });
}

bool imports_only(const std::vector<std::string_view>& texts,
                  const std::vector<std::string>& modules) {
  std::size_t size = 0;
  for (const std::string_view text : texts) size += text.size();
  return size <= kMostSearched && std::ranges::none_of(texts, [&](std::string_view text) {
           return any_import(text, [&modules](const std::vector<std::string_view>& words) {
             return names_another(words, modules);
           });
         });
}

}  // namespace belljar::runtime
