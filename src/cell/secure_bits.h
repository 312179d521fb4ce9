// The secure bits of every process of a cell, locked: uid 0 means nothing to an execution, and no
// capability becomes ambient (capabilities(7)).
#pragma once

#include <linux/securebits.h>

namespace belljar::cell {

inline constexpr unsigned long kSecureBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
                                             SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                                             SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

}  // namespace belljar::cell
