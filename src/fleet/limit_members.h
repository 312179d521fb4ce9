// Wanted limits as members of a JSON object, by the names that they have for people: durations in
// nanoseconds, exactly.
#pragma once

#include <boost/json/object.hpp>

#include "base/result.h"
#include "model/json_members.h"
#include "model/policy.h"

namespace belljar::fleet {

boost::json::object limit_members(const LimitOverrides& limits);
Status read_limits(const Members& from, LimitOverrides& to);

}  // namespace belljar::fleet
