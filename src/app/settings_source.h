// Where settings come from: the file, then the environment, then the command line.
#pragma once

#include "api/settings.h"
#include "app/arguments.h"

namespace belljar::app {

// --config FILE, or BELLJAR_CONFIG, or /etc/belljar/belljar.toml where it is there. Fills in the
// state folder: /var/lib/belljar for root, $XDG_STATE_HOME/belljar or ~/.local/state/belljar else.
// `usual`: what holds where none of them says anything.
Result<api::Settings> read_settings(const Arguments& arguments, api::Settings usual = {});

}  // namespace belljar::app
