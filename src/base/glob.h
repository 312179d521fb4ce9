// Shell-style matching of relative paths: `*` and `?` stay inside one component, `**` crosses them.
//
// Freestanding (no library calls, no recursion without a bound): cell init uses it too, where the
// names come from a hostile program. Cost is O(pattern * name).
#pragma once

#include <cstddef>
#include <string_view>

namespace belljar {

inline constexpr std::size_t kMaxGlobLength = 256;

// Patterns longer than kMaxGlobLength match nothing.
constexpr bool glob_match(std::string_view pattern, std::string_view name) {
  if (pattern.size() > kMaxGlobLength) return false;
  // One bit per pattern position that can be reached after the characters read so far.
  bool reach[kMaxGlobLength + 1] = {};
  const auto spread = [&](bool(&set)[kMaxGlobLength + 1], bool component_start) {
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (!set[i] || pattern[i] != '*') continue;
      const bool deep = i + 1 < pattern.size() && pattern[i + 1] == '*';
      std::size_t after = i + (deep ? 2 : 1);
      set[after] = true;
      // "**/" also matches no directory at all.
      const bool slash = after < pattern.size() && pattern[after] == '/';
      if (deep && component_start && slash) set[after + 1] = true;
    }
  };
  reach[0] = true;
  spread(reach, true);
  for (const char c : name) {
    bool next[kMaxGlobLength + 1] = {};
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (!reach[i]) continue;
      if (pattern[i] == '*') {
        const bool deep =
            (i + 1 < pattern.size() && pattern[i + 1] == '*') || (i > 0 && pattern[i - 1] == '*');
        if (c != '/' || deep) next[i] = true;
      } else if (pattern[i] == c || (pattern[i] == '?' && c != '/')) {
        next[i + 1] = true;
      }
    }
    spread(next, c == '/');
    for (std::size_t i = 0; i <= pattern.size(); ++i) reach[i] = next[i];
  }
  return reach[pattern.size()];
}

}  // namespace belljar
