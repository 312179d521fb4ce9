// A variable that a process was started with and that nobody is to find in it any more.
#pragma once

#include <cstdlib>
#include <cstring>

namespace belljar {

// Takes it out of the environment, and its text out of what proc(5) shows as /proc/self/environ. No
// other thread may look at the environment meanwhile.
inline void forget_variable(const char* name) {
  char* const value = std::getenv(name);
  if (value == nullptr) return;
  char* const entry = value - std::strlen(name) - 1;
  const std::size_t size = std::strlen(entry);
  ::unsetenv(name);
  std::memset(entry, 0, size);
}

}  // namespace belljar
