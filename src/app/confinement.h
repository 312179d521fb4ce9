// What the gateway and the sender of webhooks give up before they read a byte from outside.
//
// Runs in: gateway, sender; single-threaded.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace belljar::app {

// Becomes `uid` where this is root, gives up every capability and the way to more, may write below
// `state_dir` only and execute nothing (Landlock, where the kernel has it). Of TCP it may connect
// to these ports only, and bind none; what it listens on it was given (Landlock of Linux 6.7 and
// later).
Status confine_gateway(uid_t uid,
                       const std::string& state_dir,
                       std::span<const std::uint16_t> ports = {});

// The same, and may write nowhere, read only what the name service is set up with, start no
// process, and make no socket but of IP, on which it listens to nobody (seccomp).
Status confine_sender(uid_t uid);

}  // namespace belljar::app
