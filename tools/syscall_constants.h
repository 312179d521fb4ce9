// The names that may stand for numbers in policies/syscalls/*.toml.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace belljar::tools {

std::optional<std::uint64_t> find_constant(std::string_view name);  // "AF_UNIX"
std::optional<int> find_errno(std::string_view name);               // "EPERM"

}  // namespace belljar::tools
