// RunReport: what the command line says about a run, on standard error.
#pragma once

#include <string>
#include <vector>

#include "model/outcome.h"

namespace belljar::app {

// What a person should know about a run that did not end well: one line each, without line ends.
// Empty for a program that ran to its end, whatever its exit code, and hit nothing on the way.
std::vector<std::string> failure_lines(const Outcome& outcome);

// For --stats: a table of the stages, the walls and what was refused, without the last line end.
std::string stats_text(const Outcome& outcome);

}  // namespace belljar::app
