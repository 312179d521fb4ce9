// Resources: what one cell needs from the host, made ahead of time: a uid lease, cgroups, an empty
// network namespace.
//
// Runs in: warden.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "cell/cgroup.h"
#include "cell/host.h"
#include "cell/lease.h"
#include "cell/plan.h"
#include "warden/network.h"
#include "warden/zygote.h"

namespace belljar::warden {

struct CellResources {
  // Of a zygote's cell. First, since what follows is in it and has to go before it.
  std::unique_ptr<ZygoteCell> place;
  cell::UidLease lease;
  cell::CgroupSlot cgroup;
  Network net;  // not valid where the cell makes its own
  cell::Identity identity;
};

class ResourceMaker {
 public:
  ResourceMaker(const cell::Host& host, const cell::CgroupHost& cgroups, std::string lease_file)
      : host_(host), cgroups_(cgroups), lease_file_(std::move(lease_file)) {}

  Result<CellResources> make();
  // For a cell that this zygote is to make.
  Result<CellResources> make(Zygote& zygote, bool loopback) const;
  // From now on network namespaces are kept to be used again, see recycle().
  void keep_networks() { keeps_networks_ = true; }
  // Before a cell with, or without, `lo` is launched in it: a network namespace that is so.
  Status fit(Network& net, bool loopback);
  // Of a cell of which nothing is left. What another cell may have is kept for it.
  void recycle(CellResources& spent);
  // For one more zygote.
  Result<std::shared_ptr<ZygoteShare>> make_share() const;
  // Removes what wardens that were killed left behind: groups whose lease nobody holds.
  void sweep() const;

 private:
  const cell::Host& host_;
  const cell::CgroupHost& cgroups_;
  std::string lease_file_;
  std::string zygotes_lease_file_ = lease_file_ + ".zygotes";
  bool keeps_networks_ = false;
  std::vector<Network> networks_;  // that no cell is in
};

}  // namespace belljar::warden
