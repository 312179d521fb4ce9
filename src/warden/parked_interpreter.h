// What has an interpreter wait, whole and up, in a parked cell that is made for one run.
//
// Runs in: warden.
#pragma once

#include "cell/plan.h"

namespace belljar::warden {

// For runs like `spec`; nothing where no interpreter is wanted, or where it comes from a zygote.
cell::Warmth parked_warmth(const cell::CellSpec& spec);

}  // namespace belljar::warden
