// `belljar run --tests DIR`: one program against many inputs.
#pragma once

#include <string>

#include "app/arguments.h"
#include "base/result.h"
#include "engine/engine.h"
#include "model/submission.h"

namespace belljar::app {

// Compiles once, runs once per case, prints a table of verdicts or one JSON object.
Result<int> run_tests(const Arguments& arguments,
                      engine::Engine& engine,
                      const Submission& submission,
                      const std::string& directory);

}  // namespace belljar::app
