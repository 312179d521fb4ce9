// An outcome out of what to_json(outcome, Base64::kAlways) made of it elsewhere. Nothing of the
// text is trusted.
#pragma once

#include <boost/json/value.hpp>

#include "base/result.h"
#include "model/outcome.h"

namespace belljar {

// Without the contents of its artifacts, which are not in it. Times are to the microsecond, and
// text that is not UTF-8 is as the JSON has it, the streams excepted, which are exact. kInvalid
// names the first member that is missing or of another kind.
Result<Outcome> read_outcome(const boost::json::value& value);

}  // namespace belljar
