// The service's ledger, opened beside the service by whoever may read it.
#pragma once

#include <memory>

#include "app/invocation.h"
#include "ledger/migrations.h"
#include "ledger/store.h"

namespace belljar::app {

// Where the settings say; made when it is not there yet. Files that root makes here belong to the
// owner of the folder, so that the gateway can use them. Where the ledger is in PostgreSQL and this
// program has no way there, belljar-fleet is executed in its place, with the same words.
Result<std::unique_ptr<ledger::Store>> open_store(const Invocation& invocation);
// The same, and only tells what had to be done.
Result<ledger::Migrated> migrate_store(const Invocation& invocation);

}  // namespace belljar::app
