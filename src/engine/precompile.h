// Precompile: makes a runtime's headers ahead of any submission, in cells like those of a compile
// stage that no byte of a submission enters.
#pragma once

#include "base/result.h"
#include "engine/header_store.h"
#include "warden/client.h"

namespace belljar::engine {

// The headers of the manifest that the toolchain has. kUnavailable with the compiler's own words
// where it has none, or cannot precompile.
Result<MadeHeaders> precompile(warden::Client& warden,
                               const runtime::Manifest& manifest,
                               const runtime::Toolchain& toolchain);

}  // namespace belljar::engine
