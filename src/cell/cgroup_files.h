// Small reads and writes of cgroup files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace belljar::cell {

Status write_cgroup(int directory, const char* file, std::string_view value);
Result<std::string> read_cgroup(int directory, const char* file);
// The same of a file that is open.
Result<std::string> read_open_cgroup(int file, const char* name);
// A list of any length, which the kernel gives out a page at a time.
Result<std::string> read_cgroup_list(int directory, const char* file);
// A file that holds one number; "max" is the largest value.
Result<std::uint64_t> read_cgroup_number(int directory, const char* file);
Result<std::uint64_t> cgroup_number(std::string_view text, const char* name);
// "key value" lines: the value of one key, absent when there is no such line.
std::optional<std::uint64_t> value_of(std::string_view lines, std::string_view key);
// Removes one group that has no others below it, or is gone already. A killed process leaves its
// group a moment after it was reaped: until `deadline` (CLOCK_MONOTONIC) it is waited for.
Status remove_group(const std::string& path, Nanoseconds deadline);

}  // namespace belljar::cell
