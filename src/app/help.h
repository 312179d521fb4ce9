// Help: the option tables as text for a person.
#pragma once

#include <string>

#include "app/options.h"

namespace belljar::app {

std::string overview_text();                           // `belljar help`
std::string command_text(const CommandSpec& command);  // `belljar help COMMAND`
std::string version_text();

// "belljar run [OPTION...] FILE|DIR..."
std::string synopsis(const CommandSpec& command);
// "--limit NAME=VALUE"
std::string option_text(const OptionSpec& option);

}  // namespace belljar::app
