// gateway_main: the role of the process that speaks HTTP.
#pragma once

namespace belljar::app {

struct FleetParts;

// argv: "belljar gateway UID". Answers with the exit code. `fleet`: nothing in belljar itself.
int gateway_main(int argc, char** argv, const FleetParts* fleet);

}  // namespace belljar::app
