// Resources: what one cell needs from the host, made ahead of time: a uid lease, cgroups, an empty
// network namespace.
//
// Runs in: warden.
#pragma once

#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "cell/cgroup.h"
#include "cell/host.h"
#include "cell/lease.h"
#include "cell/plan.h"
#include "warden/zygote.h"

namespace belljar::warden {

struct CellResources {
  // Of a zygote's cell. First, since what follows is in it and has to go before it.
  std::unique_ptr<ZygoteCell> place;
  cell::UidLease lease;
  cell::CgroupSlot cgroup;
  Fd net;  // an empty network namespace; invalid where the cell makes its own
  cell::Identity identity;
};

class ResourceMaker {
 public:
  ResourceMaker(const cell::Host& host, const cell::CgroupHost& cgroups, std::string lease_file)
      : host_(host), cgroups_(cgroups), lease_file_(std::move(lease_file)) {}

  Result<CellResources> make() const;
  // For a cell that this zygote is to make.
  Result<CellResources> make(Zygote& zygote) const;
  // For one more zygote.
  Result<std::shared_ptr<ZygoteShare>> make_share() const;
  // Removes what wardens that were killed left behind: groups whose lease nobody holds.
  void sweep() const;

 private:
  const cell::Host& host_;
  const cell::CgroupHost& cgroups_;
  std::string lease_file_;
  std::string zygotes_lease_file_ = lease_file_ + ".zygotes";
};

// Brings `lo` of a network namespace up. There is no way back: an address that was once there keeps
// its routes.
Status bring_loopback_up(int net);

}  // namespace belljar::warden
