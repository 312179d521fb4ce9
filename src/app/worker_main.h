// worker_main: the role of the process that takes runs of a fleet and has them run in cells here.
#pragma once

namespace belljar::app {

struct FleetParts;

// argv: "belljar fleet-worker UID". Answers with the exit code. `fleet`: nothing in
// belljar itself.
int worker_main(int argc, char** argv, const FleetParts* fleet);

}  // namespace belljar::app
