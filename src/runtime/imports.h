// Imports: which modules a program's text names where it imports. Pure.
//
// That is no parser: a comment counts, and a name that is put together is not found.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace belljar::runtime {

// Of all texts of a program together, so many bytes are looked at, those of the first text first.
inline constexpr std::size_t kMostSearched = 1 << 20;

// Whether a line of `texts` has the word "import" in it, or a part of a word, and the top-level
// name of one of `modules` as a whole word.
bool imports_any(const std::vector<std::string_view>& texts,
                 const std::vector<std::string>& modules);

// Whether such lines name nothing but `modules`, the words around them aside; of "from x import y"
// only x counts. False where the texts are longer than what is looked at.
bool imports_only(const std::vector<std::string_view>& texts,
                  const std::vector<std::string>& modules);

}  // namespace belljar::runtime
