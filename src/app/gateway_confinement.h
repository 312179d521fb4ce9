// What the gateway gives up before it reads a byte from outside.
//
// Runs in: gateway, single-threaded.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace belljar::app {

// Becomes `uid` where this is root, gives up every capability and the way to more, may write below
// `state_dir` only and execute nothing (Landlock, where the kernel has it).
Status confine_gateway(uid_t uid, const std::string& state_dir);

}  // namespace belljar::app
