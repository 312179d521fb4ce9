// webhooks_main: the role of the process that sends webhooks, the only one that connects to
// strangers.
#pragma once

namespace belljar::app {

// argv: "belljar webhooks UID". Answers with the exit code.
int webhooks_main(int argc, char** argv);

}  // namespace belljar::app
