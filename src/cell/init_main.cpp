// Init: pid 1 of every cell. Static, freestanding, a few hundred lines of raw system calls.
//
// It waits for the program, ends what the program leaves behind, tells the warden the wait status
// the kernel gave it, brings files back when asked, and ends the cell when the warden is gone. It
// runs as a uid of its own, without capabilities, not dumpable, under its own seccomp filter; it
// reads nothing that the program writes but file names and file contents, and those only when no
// process of the program is left.
//
// It locks itself up first of all, with what root of a user namespace has after an execution. Done
// before, it would not last: with no_new_privs an older kernel (6.1) makes the real uid the
// effective one where the two differ (cap_bprm_creds_from_file(), security/commoncap.c).
//
// Runs in: the cell, as pid 1.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/signal.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "base/bundle_format.h"
#include "base/glob.h"
#include "cell/enter_report.h"
#include "cell/init_protocol.h"
#include "cell/secure_bits.h"

extern "C" {
// The compiler may emit calls to these two even in freestanding code (GCC manual, "Standards").
void* memset(void* to, int byte, size_t size) {
  auto* bytes = static_cast<volatile unsigned char*>(to);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(byte);
  return to;
}
void* memcpy(void* to, const void* from, size_t size) {
  auto* out = static_cast<volatile unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  for (size_t i = 0; i < size; ++i) out[i] = in[i];
  return to;
}
}

namespace belljar::cell {
namespace {

#include "init_filter.inc"

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  long result = 0;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
               : "rcx", "r11", "memory");
  return result;
}

long address(const void* pointer) {
  return reinterpret_cast<long>(pointer);
}

constexpr long kEintr = -4;
constexpr long kEbade = -52;  // what was done is not so, see readback.h
constexpr long kEagain = -11;
constexpr long kEchild = -10;
constexpr int kSigkill = 9;
constexpr int kSigchld = 17;
constexpr int kWnohang = 1;
constexpr int kMainPid = 2;  // the program is the first child of pid 1
constexpr int kMaxDepth = 32;
constexpr size_t kMaxPath = 1024;

struct KernelTime {
  int64_t seconds;
  int64_t microseconds;
};
struct KernelUsage {
  KernelTime user;
  KernelTime system;
  int64_t max_resident_kib;
  int64_t rest[13];
};

// Of recvmsg(2): the C library's names for them do not go with the kernel's headers.
constexpr int kCloseOnExec = 0x40000000;  // MSG_CMSG_CLOEXEC
struct KernelVector {
  void* base;
  size_t size;
};
struct KernelMessage {
  void* name;
  int name_size;
  KernelVector* vectors;
  size_t vector_count;
  void* control;
  size_t control_size;
  unsigned flags;
};
struct Rights {
  size_t size;
  int level;
  int type;
  int descriptor;
  int padding;
};

struct Arguments {
  unsigned own = 0;   // init's uid; where there is only one, the program's
  unsigned user = 0;  // the program's
  uint64_t bytes = 0;
  uint64_t files = 0;
  char** globs = nullptr;  // ends with a null pointer
};

uint64_t parse_number(const char* text) {
  uint64_t value = 0;
  for (; *text >= '0' && *text <= '9'; ++text)
    value = value * 10 + static_cast<uint64_t>(*text - '0');
  return value;
}

size_t length(const char* text) {
  size_t size = 0;
  while (text[size] != '\0') ++size;
  return size;
}

void exit_now(int code) {
  while (true) call(SYS_exit_group, code);
}

// Becomes the program's uid for one purpose and back. The saved uid of init is the program's, so
// this needs no capability (setresuid(2)); pid 1 still cannot be signalled from inside its
// namespace (pid_namespaces(7)) nor traced: it is not dumpable and its real uid is another.
class AsUser {
 public:
  explicit AsUser(unsigned user) {
    unsigned real = 0;
    unsigned saved = 0;
    call(SYS_getresuid, address(&real), address(&own_), address(&saved));
    if (call(SYS_setresuid, -1, static_cast<long>(user), -1) != 0) exit_now(1);
  }
  ~AsUser() {
    if (call(SYS_setresuid, -1, static_cast<long>(own_), -1) != 0) exit_now(1);
  }
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;

 private:
  unsigned own_ = 0;
};

// One signal to every process of the namespace but pid 1. The kernel holds its task list while it
// delivers, and a fork by a process with a pending SIGKILL fails, so nothing slips through.
void kill_all(const Arguments& arguments) {
  const AsUser user(arguments.user);
  call(SYS_kill, -1, kSigkill);
}

// Writes everything or gives up: a reader that went away is the warden's business.
bool write_all(int to, const void* data, size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const long done = call(SYS_write, to, address(bytes), static_cast<long>(size));
    if (done == kEintr) continue;
    if (done <= 0) return false;
    bytes += done;
    size -= static_cast<size_t>(done);
  }
  return true;
}

// Walks /box and writes the bundle of the files whose path matches a glob. Everything is opened
// beneath the directory it was listed in, never through a link, and only regular files are read.
class Collector {
 public:
  explicit Collector(const Arguments& arguments)
      : arguments_(arguments), bytes_left_(arguments.bytes), files_left_(arguments.files) {}

  bool run(int to) {
    to_ = to;
    const long box =
        call(SYS_openat, AT_FDCWD, address("/box"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (box >= 0) {
      walk(static_cast<int>(box), 0, 0);
      call(SYS_close, box);
    }
    const BundleEnd end{.flags = more_ ? kBundleMore : 0};
    write_all(to_, &end, sizeof end);
    return more_;
  }

 private:
  struct Entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[1];
  };

  void walk(int directory, size_t path_size, int depth) {
    if (depth >= kMaxDepth) {
      more_ = true;
      return;
    }
    alignas(8) char entries[2048];
    while (true) {
      const long got = call(SYS_getdents64, directory, address(entries), sizeof entries);
      if (got <= 0) return;
      for (long at = 0; at < got;) {
        const auto* entry = reinterpret_cast<const Entry*>(entries + at);
        // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): the kernel has written it
        at += entry->size;
        visit(directory, entry->name, path_size, depth);
        if (files_left_ == 0) return;
      }
    }
  }

  void visit(int directory, const char* name, size_t path_size, int depth) {
    if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'))) return;
    const size_t name_size = length(name);
    const size_t slash = path_size == 0 ? 0 : 1;
    if (path_size + slash + name_size > kMaxPath) {
      more_ = true;
      return;
    }
    const open_how how{
        .flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
        .mode = 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    struct stat status{};
    // Looked at before it is opened, so that no device or FIFO is ever opened for reading.
    if (call(SYS_newfstatat, directory, address(name), address(&status), AT_SYMLINK_NOFOLLOW) !=
        0) {
      return;
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return;
    const long fd = call(SYS_openat2, directory, address(name), address(&how), sizeof how);
    if (fd < 0) return;
    if (slash != 0) path_[path_size] = '/';
    memcpy(path_ + path_size + slash, name, name_size);
    const size_t full = path_size + slash + name_size;
    if (call(SYS_fstat, fd, address(&status)) == 0) {
      if (S_ISDIR(status.st_mode)) {
        walk(static_cast<int>(fd), full, depth + 1);
      } else if (S_ISREG(status.st_mode) && wanted(full)) {
        copy(static_cast<int>(fd), status, full);
      }
    }
    call(SYS_close, fd);
  }

  [[nodiscard]] bool wanted(size_t path_size) const {
    for (char** glob = arguments_.globs; *glob != nullptr; ++glob) {
      if (glob_match({*glob, length(*glob)}, {path_, path_size})) return true;
    }
    return false;
  }

  // The size is decided before the content is read; a file cannot change any more, but if it did
  // the rest would be zeros, never another file's bytes.
  void copy(int fd, const struct stat& status, size_t path_size) {
    const auto size = static_cast<uint64_t>(status.st_size);
    if (size > bytes_left_ || files_left_ == 0) {
      more_ = true;
      return;
    }
    bytes_left_ -= size;
    --files_left_;
    const BundleFileHeader header{.flags = (status.st_mode & 0111) != 0 ? kBundleExecutable : 0,
                                  .path_bytes = static_cast<uint32_t>(path_size),
                                  .content_bytes = size};
    if (!write_all(to_, &header, sizeof header) || !write_all(to_, path_, path_size)) return;
    uint64_t left = size;
    while (left > 0) {
      const uint64_t most = left < sizeof buffer_ ? left : sizeof buffer_;
      long got = call(SYS_read, fd, address(buffer_), static_cast<long>(most));
      if (got == kEintr) continue;
      if (got <= 0) {
        memset(buffer_, 0, most);
        got = static_cast<long>(most);
      }
      if (!write_all(to_, buffer_, static_cast<size_t>(got))) return;
      left -= static_cast<uint64_t>(got);
    }
  }

  const Arguments& arguments_;
  int to_ = -1;
  uint64_t bytes_left_;
  uint64_t files_left_;
  bool more_ = false;
  char path_[kMaxPath + 1] = {};
  char buffer_[16384] = {};
};

bool is_full(const char* path) {
  struct statfs status{};
  if (call(SYS_statfs, address(path), address(&status)) != 0) return false;
  return status.f_bavail == 0 || status.f_ffree == 0;
}

void send(const InitReport& report) {
  // The warden's going away is seen by the next poll; there is nothing else to do about it.
  call(SYS_write, kInitControlFd, address(&report), sizeof report);
}

// A step of the way into the cell, as in enter.cpp: `result` is what the kernel answered.
void done(EnterStep step, long result) {
  if (result >= 0) return;
  const EnterReport report = {
      .kind = EnterReport::Kind::kFailed, .step = step, .error = static_cast<int32_t>(-result)};
  call(SYS_write, kInitReportFd, address(&report), sizeof report);
  exit_now(1);
}

long matches(bool same) {
  return same ? 0 : kEbade;
}

// Of all bounding sets; the kernel tells which capability is past its last (EINVAL).
void empty_bounding_set() {
  for (long capability = 0; capability < 64; ++capability) {
    const long held = call(SYS_prctl, PR_CAPBSET_READ, capability);
    if (held < 0) return;
    if (held == 1) done(EnterStep::kInitIdentity, call(SYS_prctl, PR_CAPBSET_DROP, capability));
    done(EnterStep::kInitIdentity, matches(call(SYS_prctl, PR_CAPBSET_READ, capability) == 0));
  }
}

// `number` is that of getresuid(2) or getresgid(2).
void verify_ids(long number, unsigned real, unsigned effective, unsigned saved) {
  unsigned got[3] = {};
  done(EnterStep::kInitIdentity,
       call(number, address(&got[0]), address(&got[1]), address(&got[2])));
  done(EnterStep::kInitIdentity, matches(got[0] == real && got[1] == effective && got[2] == saved));
}

void change_ids(const Arguments& arguments) {
  const auto own = static_cast<long>(arguments.own);
  const auto user = static_cast<long>(arguments.user);
  done(EnterStep::kInitIdentity, call(SYS_setgroups, 0, 0));
  done(EnterStep::kInitIdentity, call(SYS_setresgid, own, own, own));
  // The saved uid is what lets it act as the program's user without a capability.
  done(EnterStep::kInitIdentity, call(SYS_setresuid, own, own, user));
  verify_ids(SYS_getresgid, arguments.own, arguments.own, arguments.own);
  done(EnterStep::kInitIdentity, matches(call(SYS_getgroups, 0, 0) == 0));
}

void drop_capabilities() {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct sets[2] = {};
  done(EnterStep::kInitIdentity, call(SYS_capset, address(&header), address(sets)));
  done(EnterStep::kInitIdentity, call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL));
  sets[0] = {.effective = ~0U, .permitted = ~0U, .inheritable = ~0U};
  done(EnterStep::kInitIdentity, call(SYS_capget, address(&header), address(sets)));
  for (const __user_cap_data_struct& set : sets) {
    done(EnterStep::kInitIdentity, matches((set.effective | set.permitted | set.inheritable) == 0));
  }
}

// The locks of pid 1, each read back. Before the first of them is on nothing of the program's runs:
// its process waits for the word that comes after the last.
void lock(const Arguments& arguments) {
  const bool only_user = arguments.own == arguments.user;
  if (!only_user) {
    done(EnterStep::kInitIdentity,
         call(SYS_prctl, PR_SET_SECUREBITS, static_cast<long>(kSecureBits)));
    done(EnterStep::kInitIdentity,
         matches(call(SYS_prctl, PR_GET_SECUREBITS) == static_cast<long>(kSecureBits)));
    empty_bounding_set();
    change_ids(arguments);
  }
  drop_capabilities();
  verify_ids(SYS_getresuid, arguments.own, arguments.own, arguments.user);

  // The warden's death ends the cell; the control socket's end says the same a second way.
  int signal = 0;
  done(EnterStep::kInitLocks, call(SYS_prctl, PR_SET_PDEATHSIG, kSigkill));
  done(EnterStep::kInitLocks, call(SYS_prctl, PR_GET_PDEATHSIG, address(&signal)));
  done(EnterStep::kInitLocks, matches(signal == kSigkill));
  done(EnterStep::kInitLocks, call(SYS_prctl, PR_SET_DUMPABLE, 0));
  done(EnterStep::kInitLocks, matches(call(SYS_prctl, PR_GET_DUMPABLE) == 0));
  done(EnterStep::kInitLocks, call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1));
  done(EnterStep::kInitLocks, matches(call(SYS_prctl, PR_GET_NO_NEW_PRIVS) == 1));
  const sock_fprog filter = {.len = sizeof kInitFilter / sizeof kInitFilter[0],
                             .filter = const_cast<sock_filter*>(kInitFilter)};
  done(EnterStep::kInitLocks, call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, address(&filter)));
  done(EnterStep::kInitLocks, matches(call(SYS_prctl, PR_GET_SECCOMP) == SECCOMP_MODE_FILTER));
  call(SYS_close, kInitReportFd);
}

class Init {
 public:
  explicit Init(const Arguments& arguments) : arguments_(arguments) {}

  void run() {
    lock(arguments_);
    uint64_t mask = 1ULL << (kSigchld - 1);
    call(SYS_rt_sigprocmask, 0, address(&mask), 0, sizeof mask);
    const long signals = call(SYS_signalfd4, -1, address(&mask), sizeof mask, 02000000 | 04000);
    if (signals < 0) exit_now(1);
    const char go = 'g';
    if (call(SYS_write, kInitGoFd, address(&go), 1) != 1) exit_now(1);
    call(SYS_close, kInitGoFd);
    while (true) {
      pollfd waits[2] = {{.fd = kInitControlFd, .events = POLLIN, .revents = 0},
                         {.fd = static_cast<int>(signals), .events = POLLIN, .revents = 0}};
      if (call(SYS_ppoll, address(waits), 2, 0, 0, 0) == kEintr) continue;
      if (waits[1].revents != 0) {
        char drained[128];
        call(SYS_read, signals, address(drained), sizeof drained);
      }
      reap();
      if (waits[0].revents != 0) obey();
    }
  }

 private:
  void reap() {
    while (!empty_) {
      int status = 0;
      const long pid = call(SYS_wait4, -1, address(&status), kWnohang, address(&last_usage_));
      if (pid == kEintr) continue;
      if (pid == 0) return;
      if (pid == kEchild) {
        if (main_ended_) report_empty();
        return;
      }
      if (pid < 0) exit_now(1);
      add(last_usage_);
      if (pid == kMainPid) {
        main_ended_ = true;
        wait_status_ = status;
        kill_all(arguments_);
      } else if (main_ended_ && (status & 0x7f) == kSigkill) {
        ++leftovers_;
      }
    }
  }

  void add(const KernelUsage& usage) {
    user_ += static_cast<uint64_t>(usage.user.seconds * 1000000 + usage.user.microseconds);
    system_ += static_cast<uint64_t>(usage.system.seconds * 1000000 + usage.system.microseconds);
    const auto resident = static_cast<uint64_t>(usage.max_resident_kib);
    if (resident > max_resident_) max_resident_ = resident;
  }

  void report_empty() {
    empty_ = true;
    const bool full = is_full("/box") || is_full("/tmp") || is_full("/dev/shm");
    send({.event = InitEvent::kEmpty,
          .wait_status = wait_status_,
          .leftovers = leftovers_,
          .user_microseconds = user_,
          .system_microseconds = system_,
          .max_resident_kib = max_resident_,
          .disk_full = full ? 1U : 0U});
  }

  void obey() {
    InitCommand command{};
    int descriptor = -1;
    const long got = receive(command, descriptor);
    if (got == kEintr || got == kEagain) return;
    // The warden is gone: with pid 1 the whole namespace ends.
    if (got != sizeof command) exit_now(0);
    const auto number = static_cast<long>(command) - static_cast<long>(InitCommand::kSignal);
    if (number > 0 && number <= 64) {
      const AsUser user(arguments_.user);
      if (!main_ended_) call(SYS_kill, kMainPid, number);
      return;
    }
    switch (command) {
      case InitCommand::kKill:
        if (!empty_) kill_all(arguments_);
        return;
      case InitCommand::kCollect: {
        if (!empty_) exit_now(1);
        bool more = false;
        {
          const AsUser user(arguments_.user);
          static Collector collector(arguments_);
          more = collector.run(descriptor);
        }
        call(SYS_close, descriptor);
        send({.event = InitEvent::kCollected, .more = more ? 1U : 0U});
        return;
      }
      case InitCommand::kExit:
        exit_now(0);
      case InitCommand::kSignal:
        break;  // no number: not a command
    }
    exit_now(1);
  }

  // One command, and the descriptor that came along or -1.
  static long receive(InitCommand& command, int& descriptor) {
    KernelVector vector = {.base = &command, .size = sizeof command};
    Rights rights = {};
    KernelMessage message = {};
    message.vectors = &vector;
    message.vector_count = 1;
    message.control = &rights;
    message.control_size = sizeof rights;
    const long got = call(SYS_recvmsg, kInitControlFd, address(&message), kCloseOnExec);
    if (got > 0 && message.control_size == sizeof rights) descriptor = rights.descriptor;
    return got;
  }

  const Arguments& arguments_;
  KernelUsage last_usage_ = {};
  bool main_ended_ = false;
  bool empty_ = false;
  int wait_status_ = 0;
  uint64_t leftovers_ = 0;
  uint64_t user_ = 0;
  uint64_t system_ = 0;
  uint64_t max_resident_ = 0;
};

}  // namespace
}  // namespace belljar::cell

extern "C" [[noreturn, gnu::used]] void init_main(long* stack) {
  using namespace belljar::cell;
  const long count = stack[0];
  auto** arguments = reinterpret_cast<char**>(stack + 1);
  if (count < kInitArgGlobs) exit_now(1);
  static Arguments parsed;
  parsed.own = static_cast<unsigned>(parse_number(arguments[kInitArgOwn]));
  parsed.user = static_cast<unsigned>(parse_number(arguments[kInitArgUser]));
  parsed.bytes = parse_number(arguments[kInitArgBytes]);
  parsed.files = parse_number(arguments[kInitArgFiles]);
  parsed.globs = arguments + kInitArgGlobs;
  static Init init(parsed);
  init.run();
  __builtin_unreachable();
}

// The kernel enters here with argc at the stack pointer (System V ABI, "Process Initialization").
asm(R"(
.globl _start
_start:
  xor %ebp, %ebp
  mov %rsp, %rdi
  and $-16, %rsp
  call init_main
  hlt
)");
