// MakeRule: the files that a compiler lists with -M, a rule of make.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belljar::engine {

// What stands behind the colon. kInvalid for what is no rule, for a path that is not absolute and
// for one with a character that make would have to escape: headers of a host have none.
Result<std::vector<std::string>> parse_make_rule(std::string_view text);

}  // namespace belljar::engine
