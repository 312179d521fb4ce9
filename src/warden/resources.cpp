#include "warden/resources.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

#include "base/check.h"
#include "base/sys.h"

namespace belljar::warden {
namespace {

constexpr uid_t kSingleUser = 1000;     // the only uid of a nested user namespace
constexpr uid_t kFirstSubordinate = 1;  // 0 of the warden's namespace is the person
constexpr unsigned kSubordinateLeases = 16384;
constexpr unsigned kMostZygotes = 64;
// Past the uids of all other cells.
constexpr uid_t kFirstZygoteUid = cell::kFirstUid + 2 * cell::kLeaseCount;
constexpr char kBranchLetter = 'z';  // their groups are named by lease, as a cell's are

Status bring_loopback_up_here() {
  const Fd socket = Fd::adopt(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno("socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return fail_errno("SIOCSIFFLAGS lo");
  return {};
}

// Steps into another network namespace and back. The warden is single-threaded; that it cannot
// come back is a broken invariant, for it would go on in the wrong one.
class NetworkVisit {
 public:
  static Result<NetworkVisit> begin() {
    TRY_ASSIGN(Fd home, sys::open_file("/proc/self/ns/net", O_RDONLY));
    return NetworkVisit(std::move(home));
  }
  NetworkVisit(NetworkVisit&&) = default;
  NetworkVisit& operator=(NetworkVisit&&) = delete;
  ~NetworkVisit() {
    if (home_.valid()) CHECK(::setns(home_.get(), CLONE_NEWNET) == 0);
  }

 private:
  explicit NetworkVisit(Fd home) : home_(std::move(home)) {}
  Fd home_;
};

Result<Fd> make_network() {
  TRY_ASSIGN(const NetworkVisit visit, NetworkVisit::begin());
  if (::unshare(CLONE_NEWNET) != 0) return fail_errno("unshare network namespace");
  return sys::open_file("/proc/self/ns/net", O_RDONLY);
}

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

}  // namespace

Status bring_loopback_up(int net) {
  TRY_ASSIGN(const NetworkVisit visit, NetworkVisit::begin());
  if (::setns(net, CLONE_NEWNET) != 0) return fail_errno("setns network namespace");
  return bring_loopback_up_here();
}

Result<CellResources> ResourceMaker::make() const {
  CellResources made;
  const unsigned count =
      host_.privilege == cell::Privilege::kUidRange ? kSubordinateLeases : cell::kLeaseCount;
  TRY_ASSIGN(made.lease, cell::UidLease::take(lease_file_, count));
  made.identity = identity_of(host_.privilege, made.lease.slot());
  TRY_ASSIGN(made.cgroup, cgroups_.make_slot(made.lease.name()));
  // A nested user namespace owns its network namespace, so the cell must make it by itself.
  if (!made.identity.nested_user_namespace) {
    TRY_ASSIGN(made.net, make_network());
  }
  return made;
}

Result<CellResources> ResourceMaker::make(Zygote& zygote) const {
  CellResources made;
  made.place = zygote.place();
  if (made.place == nullptr) return fail(Code::kExhausted, "all cells of this zygote are alive");
  TRY_ASSIGN(made.lease, cell::UidLease::take(lease_file_, cell::kLeaseCount));
  made.identity.outside = made.place->user();
  TRY_ASSIGN(made.cgroup, cgroups_.make_slot(made.lease.name(), &made.place->branch()));
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
