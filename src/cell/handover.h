// Handover: what a parked cell is given when its run comes, in one message over its park socket: the
// sealed spec with the files, stdin, stdout, stderr, and the program if it is a descriptor.
//
// The warden has checked the spec before; it goes on as the same sealed memfd.
#pragma once

#include <span>

#include "base/bundle.h"
#include "base/result.h"
#include "cell/spec.h"

namespace belljar::cell {

// Sends a run to a parked cell: the memfd, stdin, stdout, stderr, and the program or nothing.
// Runs in: warden.
Status send_handover(int park, std::span<const int> fds);

// The rest runs in: the cell, as pid 2, behind every lock. See cell/enter.h.
struct Handover {
  CellSpec spec;
  Bundle bundle;  // views into a mapping that lives as long as the process
  int in = -1, out = -1, err = -1;
  int program = -1;

  // Puts the streams on 0, 1 and 2.
  [[nodiscard]] bool install_stdio() const;
};

// Waits for it. Each answers false with errno set.
bool receive_handover(int park, Handover& handover);
// Closes everything but 0, 1, 2 and this one.
bool close_all_but(int fd);
void execute_handover(const Handover& handover);

}  // namespace belljar::cell
