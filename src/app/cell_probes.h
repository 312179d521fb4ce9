// CellProbes: small programs that run into each limit on purpose, so that `belljar doctor` can say
// what holds on this host instead of guessing.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/engine.h"
#include "model/outcome.h"
#include "model/policy.h"

namespace belljar::app {

struct LimitProbe {
  std::string_view name;    // of the limit
  std::string_view script;  // for sh(1), does what the limit forbids
  std::string_view limits;  // as for --limit
  bool (*held)(const StageOutcome& stage);
};
std::span<const LimitProbe> limit_probes();

// Runs a shell script in a real cell under `policy`'s defaults with `limits` on top.
Result<StageOutcome> run_probe(engine::Engine& engine,
                               const Policy& policy,
                               std::string_view script,
                               std::string_view limits);

// What to do where a wall does not stand.
std::string_view advice(Wall wall);

}  // namespace belljar::app
