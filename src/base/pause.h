// The pause between the turns of a thread that does something again and again until it is stopped.
#pragma once

#include <stop_token>

#include "base/units.h"

namespace belljar {

// True after all of `length`; false as soon as `stop` asks for it, before or meanwhile.
bool pause_unless_stopped(const std::stop_token& stop, Nanoseconds length);

}  // namespace belljar
