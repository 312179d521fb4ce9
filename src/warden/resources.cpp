#include "warden/resources.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace belljar::warden {
namespace {

constexpr uid_t kSingleUser = 1000;     // the only uid of a nested user namespace
constexpr uid_t kFirstSubordinate = 1;  // 0 of the warden's namespace is the person
constexpr unsigned kSubordinateLeases = 16384;
constexpr unsigned kMostZygotes = 64;
// Past the uids of all other cells.
constexpr uid_t kFirstZygoteUid = cell::kFirstUid + 2 * cell::kLeaseCount;
constexpr std::size_t kMostKept = 32;
constexpr char kBranchLetter = 'z';  // their groups are named by lease, as a cell's are

cell::Identity identity_of(cell::Privilege privilege, unsigned slot) {
  switch (privilege) {
    case cell::Privilege::kRoot:
      return {.user = cell::kFirstUid + 2 * slot,
              .init = cell::kFirstUid + 2 * slot + 1,
              .outside = cell::kFirstUid + 2 * slot};
    case cell::Privilege::kUidRange:
      return {.user = kFirstSubordinate + 2 * slot,
              .init = kFirstSubordinate + 2 * slot + 1,
              .outside = kFirstSubordinate + 2 * slot};
    case cell::Privilege::kSingleUid:
      break;
  }
  return {.user = kSingleUser, .init = kSingleUser, .nested_user_namespace = true};
}

// One with such a loopback, if there is one.
std::optional<Network> take_kept(std::vector<Network>& networks, bool loopback) {
  const auto kept = std::ranges::find(networks, loopback, &Network::has_loopback);
  if (kept == networks.end()) return std::nullopt;
  Network taken = std::move(*kept);
  networks.erase(kept);
  return taken;
}

}  // namespace

Result<CellResources> ResourceMaker::make() {
  CellResources made;
  const unsigned count =
      host_.privilege == cell::Privilege::kUidRange ? kSubordinateLeases : cell::kLeaseCount;
  TRY_ASSIGN(made.lease, cell::UidLease::take(lease_file_, count));
  made.identity = identity_of(host_.privilege, made.lease.slot());
  TRY_ASSIGN(made.cgroup, cgroups_.make_slot(made.lease.name()));
  // A nested user namespace owns its network namespace, so the cell must make it by itself.
  if (!made.identity.nested_user_namespace) {
    if (networks_.empty()) {
      TRY_ASSIGN(made.net, Network::make());
    } else {
      made.net = std::move(networks_.back());
      networks_.pop_back();
    }
  }
  return made;
}

Status ResourceMaker::fit(Network& net, bool loopback) {
  if (!net.valid()) return {};
  if (net.has_loopback() != loopback) {
    if (auto kept = take_kept(networks_, loopback)) {
      std::swap(net, *kept);
      networks_.push_back(*std::move(kept));
    } else if (loopback) {
      TRY(net.bring_loopback_up());
    } else {
      TRY_ASSIGN(net, Network::make());
    }
  }
  return keeps_networks_ && !net.is_recorded() ? net.record() : Status{};
}

void ResourceMaker::recycle(CellResources& spent) {
  std::vector<Network>& networks = spent.place != nullptr ? spent.place->networks() : networks_;
  if (keeps_networks_ && networks.size() < kMostKept && spent.net.renew())
    networks.push_back(std::move(spent.net));
  // A cell of its own has its uid by the lease, and a uid rests between two cells.
  if (spent.place != nullptr && spent.place->groups().size() < kMostKept && spent.cgroup.renew()) {
    spent.place->groups().push_back(
        {.lease = std::move(spent.lease), .slot = std::move(spent.cgroup)});
  }
}

Result<CellResources> ResourceMaker::make(Zygote& zygote, bool loopback) const {
  CellResources made;
  made.place = zygote.place();
  if (made.place == nullptr) return fail(Code::kExhausted, "all cells of this zygote are alive");
  made.identity.outside = made.place->user();
  if (std::vector<CellGroups>& groups = made.place->groups(); !groups.empty()) {
    made.lease = std::move(groups.back().lease);
    made.cgroup = std::move(groups.back().slot);
    groups.pop_back();
  } else {
    TRY_ASSIGN(made.lease, cell::UidLease::take(lease_file_, cell::kLeaseCount));
    TRY_ASSIGN(made.cgroup, cgroups_.make_slot(made.lease.name(), &made.place->branch()));
  }
  if (auto kept = take_kept(made.place->networks(), loopback)) made.net = *std::move(kept);
  return made;
}

Result<std::shared_ptr<ZygoteShare>> ResourceMaker::make_share() const {
  auto share = std::make_shared<ZygoteShare>();
  TRY_ASSIGN(share->lease, cell::UidLease::take(zygotes_lease_file_, kMostZygotes));
  const unsigned slot = share->lease.slot();
  share->first = kFirstZygoteUid + slot * cell::kZygoteUids;
  for (unsigned i = 0; i < cell::kZygoteCells; ++i) share->free.push_back(i);
  TRY_ASSIGN(share->branch,
             cgroups_.make_branch(kBranchLetter + std::to_string(slot), share->first));
  return share;
}

void ResourceMaker::sweep() const {
  for (const std::string& name : cgroups_.slot_names()) {
    unsigned slot = 0;
    const bool branch = name.starts_with(kBranchLetter);
    if (!branch && !name.starts_with('c')) continue;
    const char* const end = name.data() + name.size();
    if (std::from_chars(name.data() + 1, end, slot).ptr != end) continue;
    if (cell::UidLease::is_free(branch ? zygotes_lease_file_ : lease_file_, slot)) {
      cgroups_.sweep(name);
    }
  }
}

}  // namespace belljar::warden
