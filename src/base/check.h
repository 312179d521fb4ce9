// CHECK: a broken invariant of ours aborts the process with the place. Never used on outside input.
#pragma once

#include <source_location>

namespace belljar {

[[noreturn]] void check_failed(const char* condition, std::source_location where);

}  // namespace belljar

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) [[unlikely]]                                          \
      ::belljar::check_failed(#condition, std::source_location::current()); \
  } while (false)
