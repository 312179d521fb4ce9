// The program that executes code for a session, in any of its languages. It runs inside the cell
// and is believed no more than the code beside it.
#pragma once

#include <string_view>

#include "base/result.h"

namespace belljar::engine {

// Where a session's driver lies in its cell, relative to /box, until it has begun: it removes its
// own file, and the one beside it.
inline constexpr std::string_view kSessionDriverPath = ".belljar-session.py";
inline constexpr std::string_view kBesideDriverPath = ".belljar-session.js";
// The runtime that runs it, whatever the language of the code.
inline constexpr std::string_view kDriverLanguage = "python";

struct SessionDriver {
  std::string_view text;
  std::string_view beside;  // the file beside it; empty: none
  std::string_view word;    // its first argument, before the path of the interpreter; empty: for
                            // code in its own language, where there are none
};

// By the name in a runtime's manifest. kInvalid when there is none.
Result<SessionDriver> session_driver(std::string_view name);

}  // namespace belljar::engine
