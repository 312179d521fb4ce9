// toml++ as this project uses it: without exceptions, and with its assertions turned into the
// errors that stand behind them (toml++ 3.3 asserts on "[`" before it would report it). Heavy: for
// .cpp files only.
#pragma once

#ifdef NDEBUG
#error "toml++ turns its assertions into undefined behaviour under NDEBUG"
#endif
#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>  // IWYU pragma: export
