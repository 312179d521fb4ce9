#include "cell/lease.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/sys.h"

namespace belljar::cell {
namespace {

constexpr std::int64_t kRestSeconds = 5;

struct flock lock_of(unsigned slot, short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(slot) * static_cast<off_t>(sizeof(std::int64_t));
  lock.l_len = sizeof(std::int64_t);
  return lock;
}

// CLOCK_BOOTTIME: a clock step or a suspend must not end a rest early.
std::int64_t boot_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return time.tv_sec;
}

void stamp(int file, unsigned slot) {
  const std::int64_t now = boot_seconds();
  // A stamp that cannot be written only shortens the rest.
  [[maybe_unused]] const ssize_t done =
      ::pwrite(file, &now, sizeof now, static_cast<off_t>(slot) * static_cast<off_t>(sizeof now));
}

bool rested(int file, unsigned slot) {
  std::int64_t last = 0;
  const ssize_t got =
      ::pread(file, &last, sizeof last, static_cast<off_t>(slot) * static_cast<off_t>(sizeof last));
  const std::int64_t now = boot_seconds();
  // A stamp from the future was written before the last boot.
  return got != sizeof last || last > now || now - last >= kRestSeconds || last == 0;
}

}  // namespace

UidLease::~UidLease() {
  if (file_.valid()) stamp(file_.get(), slot_);
}

Result<UidLease> UidLease::take(const std::string& file, unsigned count) {
  TRY_ASSIGN(Fd fd, sys::open_file(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  unsigned start = 0;
  if (::getrandom(&start, sizeof start, 0) != sizeof start) return fail_errno("getrandom");
  for (const bool resting_too : {false, true}) {
    for (unsigned i = 0; i < count; ++i) {
      const unsigned slot = (start % count + i) % count;
      if (!resting_too && !rested(fd.get(), slot)) continue;
      struct flock lock = lock_of(slot, F_WRLCK);
      if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) {
        stamp(fd.get(), slot);
        UidLease lease;
        lease.file_ = std::move(fd);
        lease.slot_ = slot;
        return lease;
      }
      if (errno != EAGAIN && errno != EACCES) return fail_errno("uid lease");
    }
  }
  return fail(Code::kExhausted, "uid lease: all " + std::to_string(count) + " are taken");
}

bool UidLease::is_free(const std::string& file, unsigned slot) {
  const Fd fd = Fd::adopt(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return errno == ENOENT;
  struct flock lock = lock_of(slot, F_WRLCK);
  return ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

}  // namespace belljar::cell
