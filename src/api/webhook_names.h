// What a webhook's name stands for, asked of the name service once. Of c-ares because a static
// glibc cannot ask.
#pragma once

#include <string>
#include <vector>

#include "api/webhook_url.h"
#include "base/units.h"

namespace belljar::api {

// Every address, at least one, in the order of the answer. `servers` as in the setting webhook-dns.
// Search domains and aliases of the host are not tried.
Result<std::vector<IpAddress>> resolve(const std::string& host,
                                       const std::string& servers,
                                       Nanoseconds deadline);

// Addresses of this host's own interfaces.
std::vector<IpAddress> own_addresses();

}  // namespace belljar::api
