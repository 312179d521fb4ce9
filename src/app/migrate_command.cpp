// `belljar migrate`: brings the ledger to this program's version ahead of the service, which would
// do the same at its start.
#include <fmt/format.h>
#include <unistd.h>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/invocation.h"
#include "app/store_access.h"

namespace belljar::app {

Result<int> migrate_command(Invocation& invocation) {
  TRY_ASSIGN(const ledger::Migrated done, migrate_store(invocation));
  std::string page = fmt::format("the ledger has version {} already\n", done.to);
  if (done.from == 0) {
    page = fmt::format("made a ledger of version {}\n", done.to);
  } else if (done.from != done.to) {
    page = fmt::format("brought the ledger from version {} to {}\n", done.from, done.to);
  }
  TRY(write_patiently(STDOUT_FILENO, page));
  return kExitOk;
}

}  // namespace belljar::app
