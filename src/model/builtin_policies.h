// Built-in policies: the files of policies/, whose text is part of the program.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/policy.h"

namespace belljar {

// kNotFound lists the names that are there. "default" is Policy{} and costs no parsing.
Result<Policy> builtin_policy(std::string_view name);
// All of them by name, for as long as the process lives.
const std::map<std::string, Policy, std::less<>>& builtin_policies();
std::vector<std::string_view> builtin_policy_names();  // sorted
// The file as it was embedded; empty where there is none of that name.
std::string_view builtin_policy_text(std::string_view name);

}  // namespace belljar
