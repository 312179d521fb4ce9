// The role `belljar warden`: becomes root of what it may, probes, serves one client on
// descriptor 3.
#pragma once

namespace belljar::warden {

int warden_main();

}  // namespace belljar::warden
