// TestCase: one input and the output it must give, from a directory of NAME.in and NAME.out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace belljar::app {

struct TestCase {
  std::string name;
  std::optional<std::string> input;  // path of NAME.in; absent: no input
  std::string expected;              // path of NAME.out
};

// In natural order: 2 before 10. kInvalid when there is none, or an input without its output.
Result<std::vector<TestCase>> find_test_cases(const std::string& directory);

// Numbers inside names compare by value.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace belljar::app
