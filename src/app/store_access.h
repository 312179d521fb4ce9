// The service's ledger, opened beside the service by whoever may read it.
#pragma once

#include <memory>

#include "app/arguments.h"
#include "ledger/sqlite_store.h"

namespace belljar::app {

// Where the settings say; made when it is not there yet. Files that root makes here belong to the
// owner of the folder, so that the gateway can use them.
Result<std::unique_ptr<ledger::SqliteStore>> open_store(const Arguments& arguments);

}  // namespace belljar::app
