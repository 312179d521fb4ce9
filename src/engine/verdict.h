// Verdict: raw facts from the kernel to a stage's status and its reason. Pure.
#pragma once

#include "engine/stage_io.h"
#include "model/outcome.h"

namespace belljar::engine {

// Precedence: set-up, lost init, policy (cancelled, output), memory, processor clock, wall clock,
// disk, the program's own signal, its exit code. Never read from the exit code alone.
StageOutcome judge(StageKind kind, const StageResult& result, const Limits& limits);

}  // namespace belljar::engine
