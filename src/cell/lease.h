// UidLease: the uids of one cell, unique among all cells of this host that live or died lately.
//
// A lease is a byte-range lock (F_OFD_SETLK, fcntl(2)) in one file that every warden shares: the
// kernel gives it back when the warden ends, however it ends. Each slot also remembers when it was
// last given back, so that a uid rests before it is used again.
//
// Runs in: warden.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace belljar::cell {

inline constexpr uid_t kFirstUid = 0x42000000;  // far from people, services and /etc/subuid
inline constexpr unsigned kLeaseCount = 4096;

class UidLease {
 public:
  UidLease() = default;
  UidLease(UidLease&&) noexcept = default;
  UidLease& operator=(UidLease&&) noexcept = default;
  ~UidLease();

  [[nodiscard]] unsigned slot() const { return slot_; }
  // The cell's name in cgroup trees: "c17".
  [[nodiscard]] std::string name() const { return "c" + std::to_string(slot_); }

  // `file` is opened and made if need be. kExhausted when every slot is taken or resting.
  static Result<UidLease> take(const std::string& file, unsigned count);
  // Whether nobody holds that slot now: then what carries its name was left behind.
  static bool is_free(const std::string& file, unsigned slot);

 private:
  Fd file_;
  unsigned slot_ = 0;
};

}  // namespace belljar::cell
