// OutputDifference: where a program's output departs from what was expected.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "model/outcome.h"

namespace belljar::engine {

enum class Compare : unsigned char {
  kLenient,  // white space at the end of lines and empty lines at the end do not count
  kExact,    // every byte counts
};

struct OutputDifference {
  std::size_t line = 0;                 // from 1
  std::optional<std::string> expected;  // that line; absent: the text has ended
  std::optional<std::string> got;
};

// The first difference, or nothing when the outputs agree. Linear in both texts.
std::optional<OutputDifference> first_difference(std::string_view expected,
                                                 std::string_view got,
                                                 Compare how);

// The verdict's name wherever a program reads it: "pass", "wrong_answer", or the status.
std::string_view verdict_name(RunStatus status, bool differs);

// "line 3: expected '5 6', got '5 7'", harmless for a terminal and cut to a readable length around
// the place where the lines part.
std::string to_string(const OutputDifference& difference);

}  // namespace belljar::engine
