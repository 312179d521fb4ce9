// What a gateway and a worker do alike before they do anything: read their settings, give up their
// rights, and go when their supervisor goes.
#pragma once

#include <functional>
#include <string_view>

#include "api/settings.h"
#include "base/result.h"

namespace belljar::app {

struct FleetParts;

// argv: "belljar ROLE UID". `serve` is called with the rights that are left; `failed` is what the
// log calls its error. Answers with the exit code.
int role_main(int argc,
              char** argv,
              const FleetParts* fleet,
              std::string_view failed,
              const std::function<Status(const api::Settings&)>& serve);

}  // namespace belljar::app
