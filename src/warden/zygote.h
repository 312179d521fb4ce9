// Zygote: an interpreter that is up, has never seen a program, and makes cells with itself inside.
//
// It is a process of the warden's, walled in by itself (cell/enter_zygote.h), and not trusted: it
// runs modules that an operator named. Its cells are children of the warden's like all others.
//
// Runs in: warden.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "cell/cgroup.h"
#include "cell/host.h"
#include "cell/lease.h"
#include "cell/spec.h"
#include "cell/zygote_protocol.h"
#include "warden/network.h"

namespace belljar::warden {

// A cell's cgroups and the lease that they are named by.
struct CellGroups {
  cell::UidLease lease;
  cell::CgroupSlot slot;
};

// What a zygote and its cells have in common: uids, which of its cells are alive, a branch of the
// cgroups, and what cells that are gone left for others: network namespaces, which belong to its
// user namespace, and cgroups. The last of them gives it back.
struct ZygoteShare {
  cell::UidLease lease;
  uid_t first = 0;
  std::vector<unsigned> free;  // cells; the one that has rested longest comes first
  cell::CgroupBranch branch;
  // That no cell is in.
  std::vector<Network> networks;
  std::vector<CellGroups> groups;
};

// One cell's place in it; given back when it is destroyed.
class ZygoteCell {
 public:
  ZygoteCell(std::shared_ptr<ZygoteShare> share, unsigned number)
      : share_(std::move(share)), number_(number) {}
  ZygoteCell(const ZygoteCell&) = delete;
  ZygoteCell& operator=(const ZygoteCell&) = delete;
  ~ZygoteCell() { share_->free.push_back(number_); }

  [[nodiscard]] bool is_of(const std::shared_ptr<ZygoteShare>& share) const {
    return share_ == share;
  }
  [[nodiscard]] unsigned number() const { return number_; }
  [[nodiscard]] uid_t user() const { return share_->first + cell::zygote_user(number_); }
  [[nodiscard]] const cell::CgroupBranch& branch() const { return share_->branch; }
  [[nodiscard]] std::vector<Network>& networks() const { return share_->networks; }
  [[nodiscard]] std::vector<CellGroups>& groups() const { return share_->groups; }

 private:
  std::shared_ptr<ZygoteShare> share_;
  unsigned number_;
};

// What a zygote has to say about one request.
struct Birth {
  std::uint64_t id = 0;
  Fd pidfd;  // of the cell's init; invalid: it could not be made
  WallSet walls;
  Fd net;  // of a born one: the network namespace it is in now
  std::string error;
};

class Zygote {
 public:
  // Clones it. It imports on its own; the first request waits for that.
  static Result<std::unique_ptr<Zygote>> start(const cell::Host& host,
                                               std::shared_ptr<ZygoteShare> share,
                                               const cell::CellSpec& spec);
  Zygote(const Zygote&) = delete;
  Zygote& operator=(const Zygote&) = delete;
  ~Zygote();

  [[nodiscard]] int fd() const { return socket_.get(); }
  // What it says now; maybe nothing.
  std::optional<Birth> hear();
  [[nodiscard]] bool is_ready() const { return ready_; }
  // It is of no use any more: it has ended, could not begin, or does not answer.
  [[nodiscard]] bool has_failed() const;
  // It has made so many cells, or is so old, that another one has to take its place.
  [[nodiscard]] bool is_spent() const;
  // Cells were asked for that it has not told of yet.
  [[nodiscard]] bool is_busy() const { return owed_ > 0; }
  [[nodiscard]] Nanoseconds since() const { return since_; }

  [[nodiscard]] bool is_parent_of(const ZygoteCell& cell) const { return cell.is_of(share_); }
  // A place for one more cell; null when all are taken.
  std::unique_ptr<ZygoteCell> place();
  // Asks for a cell. Descriptors as cell/zygote_protocol.h says.
  Status request(const cell::ZygoteRequest& request, std::span<const int> fds);

 private:
  Zygote() = default;
  // The process of a descriptor that it sent, if that is a child of the warden's and in its own
  // user namespace: a zygote could name any process.
  [[nodiscard]] std::optional<pid_t> own_child(const Fd& pidfd) const;

  Fd socket_;
  Fd pidfd_;
  pid_t pid_ = -1;
  std::shared_ptr<ZygoteShare> share_;
  Nanoseconds since_{};
  unsigned made_ = 0;
  unsigned owed_ = 0;
  Nanoseconds asked_{};  // last
  bool ready_ = false;
  bool failed_ = false;
};

}  // namespace belljar::warden
