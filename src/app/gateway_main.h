// gateway_main: the role of the process that speaks HTTP.
#pragma once

namespace belljar::app {

// argv: "belljar gateway UID". Answers with the exit code.
int gateway_main(int argc, char** argv);

}  // namespace belljar::app
