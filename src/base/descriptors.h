// How many descriptors a process of the service may have open.
//
// Runs in: warden, gateway.
#pragma once

namespace belljar {

// As many as it may: an ordinary user up to the hard limit that it was started with, root past it.
// A cell that waits or is paused keeps some thirty in the warden; cells have limits of their own.
void take_all_descriptors();

}  // namespace belljar
