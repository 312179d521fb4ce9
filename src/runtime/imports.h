// Imports: whether a program's text names one of some modules where it imports. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace belljar::runtime {

// Of all texts of a program together, so many bytes are looked at, those of the first text first.
inline constexpr std::size_t kMostSearched = 1 << 20;

// Whether a line of `texts` has the word "import" in it, or a part of a word, and the top-level
// name of one of `modules` as a whole word. That is no parser: a comment counts, and a name that is
// put together is not found.
bool imports_any(const std::vector<std::string_view>& texts,
                 const std::vector<std::string>& modules);

}  // namespace belljar::runtime
