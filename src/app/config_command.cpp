// `belljar config check`: reads the settings as `belljar serve` would, and shows them.
#include <unistd.h>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/invocation.h"
#include "app/settings_source.h"

namespace belljar::app {

Result<int> config_command(Invocation& invocation) {
  if (invocation.arguments.operands().front() != "check")
    return fail(Code::kInvalid, "config: must be check");
  TRY_ASSIGN(const api::Settings settings, read_settings(invocation.arguments));
  TRY(write_patiently(STDOUT_FILENO, api::describe(settings)));
  return kExitOk;
}

}  // namespace belljar::app
