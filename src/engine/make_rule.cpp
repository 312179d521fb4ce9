#include "engine/make_rule.h"

namespace belljar::engine {
namespace {

constexpr std::size_t kMostFiles = 8192;

std::unexpected<Error> no_rule() {
  return fail(Code::kInvalid, "the compiler's list of headers cannot be read");
}

}  // namespace

Result<std::vector<std::string>> parse_make_rule(std::string_view text) {
  const std::size_t colon = text.find(": ");
  if (colon == text.npos) return no_rule();
  text.remove_prefix(colon + 1);
  std::vector<std::string> files;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // The end of a line that goes on.
    if (word.empty() || word == "\\") continue;
    if (!word.starts_with('/') || word.find_first_of("\\$#:\t\r") != word.npos) return no_rule();
    files.emplace_back(word);
    if (files.size() > kMostFiles) return no_rule();
  }
  return files;
}

}  // namespace belljar::engine
