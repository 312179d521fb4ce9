// The programs that execute code for a session, each in its language. They run inside the cell and
// are believed no more than the code beside them.
#pragma once

#include <string_view>

#include "base/result.h"

namespace belljar::engine {

// Where a session's driver lies in its cell, relative to /box, until it has begun: it removes its
// own file.
inline constexpr std::string_view kSessionDriverPath = ".belljar-session.py";

// The text of a driver, by the name in a runtime's manifest. kInvalid when there is none.
Result<std::string_view> session_driver(std::string_view name);

}  // namespace belljar::engine
