// The whole program: the role or the command that argv names. Wiring only.
#pragma once

namespace belljar::app {

struct FleetParts;

// `fleet`: what opens a ledger in PostgreSQL; nothing in belljar itself.
int program_main(int argc, char** argv, const FleetParts* fleet);

}  // namespace belljar::app
