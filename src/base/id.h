// Ids and wall-clock times of records. Limits and bills use the monotonic clock of base/sys.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belljar {

// Milliseconds since 1970 of CLOCK_REALTIME: for records that people read, never for a limit.
std::int64_t unix_ms();

// "2026-11-21T07:00:00.123Z".
std::string format_time(std::int64_t unix_milliseconds);

// "run_01jd…": the prefix, 48 bits of time and 130 random bits in Crockford's base 32, lower case,
// 36 digits in all. Ids of later milliseconds sort later; nobody can guess one.
std::string make_id(std::string_view prefix);

}  // namespace belljar
