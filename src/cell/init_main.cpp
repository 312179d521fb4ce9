// Init: pid 1 of every cell. Static, freestanding, a few hundred lines of raw system calls.
//
// It waits for the program, ends what the program leaves behind, tells the warden the wait status
// the kernel gave it, brings files back when asked, and ends the cell when the warden is gone. It
// runs as a uid of its own, without capabilities, not dumpable, under its own seccomp filter; it
// reads nothing that the program writes but file names and file contents, and those only when no
// process of the program is left, or while all of them are frozen.
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
#include "cell/file_request.h"
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
constexpr long kEio = -5;
constexpr long kEexist = -17;
constexpr long kEisdir = -21;
constexpr long kEinval = -22;
constexpr long kEfbig = -27;
constexpr long kEloop = -40;
constexpr long kEmediumtype = -124;
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
  int descriptors[2];
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

// Reads everything or gives up.
bool read_all(int from, void* data, size_t size) {
  auto* bytes = static_cast<char*>(data);
  while (size > 0) {
    const long done = call(SYS_read, from, address(bytes), static_cast<long>(size));
    if (done == kEintr) continue;
    if (done <= 0) return false;
    bytes += done;
    size -= static_cast<size_t>(done);
  }
  return true;
}

long open_box() {
  return call(SYS_openat, AT_FDCWD, address("/box"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// Beneath a directory and never through a link.
long open_beneath(long directory, const char* path, long flags, unsigned mode = 0) {
  const open_how how{
      .flags = static_cast<uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW),
      .mode = mode,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
  return call(SYS_openat2, directory, address(path), address(&how), sizeof how);
}

long look_at(long directory, const char* name, struct stat& status) {
  return call(SYS_newfstatat, directory, address(name), address(&status), AT_SYMLINK_NOFOLLOW);
}

char copy_buffer[16384];

// One file of a bundle. Its size was decided before the content is read; a file cannot change any
// more, but if it did the rest would be zeros, never another file's bytes.
void write_file(int to, int fd, const struct stat& status, const char* path, size_t path_size) {
  const auto size = static_cast<uint64_t>(status.st_size);
  const BundleFileHeader header{.flags = (status.st_mode & 0111) != 0 ? kBundleExecutable : 0,
                                .path_bytes = static_cast<uint32_t>(path_size),
                                .content_bytes = size};
  if (!write_all(to, &header, sizeof header) || !write_all(to, path, path_size)) return;
  uint64_t left = size;
  while (left > 0) {
    const uint64_t most = left < sizeof copy_buffer ? left : sizeof copy_buffer;
    long got = call(SYS_read, fd, address(copy_buffer), static_cast<long>(most));
    if (got == kEintr) continue;
    if (got <= 0) {
      memset(copy_buffer, 0, most);
      got = static_cast<long>(most);
    }
    if (!write_all(to, copy_buffer, static_cast<size_t>(got))) return;
    left -= static_cast<uint64_t>(got);
  }
}

// Walks /box and writes the bundle of the files whose path matches a glob, or of the states of all
// files. Everything is opened beneath the directory it was listed in, never through a link, and
// only regular files are read.
class Collector {
 public:
  struct Wish {
    uint64_t bytes;
    uint64_t files;
    char** globs;  // null: every file's state
  };

  bool run(int to, const Wish& wish) {
    to_ = to;
    globs_ = wish.globs;
    bytes_left_ = wish.bytes;
    files_left_ = wish.files;
    more_ = false;
    const long box = open_box();
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
    struct stat status{};
    // Looked at before it is opened, so that no device or FIFO is ever opened for reading.
    if (look_at(directory, name, status) != 0) return;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return;
    if (slash != 0) path_[path_size] = '/';
    memcpy(path_ + path_size + slash, name, name_size);
    const size_t full = path_size + slash + name_size;
    if (globs_ == nullptr && S_ISREG(status.st_mode)) return tell(status, full);
    const long fd = open_beneath(directory, name, O_RDONLY | O_NONBLOCK);
    if (fd < 0) return;
    if (call(SYS_fstat, fd, address(&status)) == 0) {
      if (S_ISDIR(status.st_mode)) {
        walk(static_cast<int>(fd), full, depth + 1);
      } else if (S_ISREG(status.st_mode) && globs_ != nullptr && wanted(full)) {
        copy(static_cast<int>(fd), status, full);
      }
    }
    call(SYS_close, fd);
  }

  [[nodiscard]] bool wanted(size_t path_size) const {
    for (char** glob = globs_; *glob != nullptr; ++glob) {
      if (glob_match({*glob, length(*glob)}, {path_, path_size})) return true;
    }
    return false;
  }

  void copy(int fd, const struct stat& status, size_t path_size) {
    const auto size = static_cast<uint64_t>(status.st_size);
    if (size > bytes_left_ || files_left_ == 0) {
      more_ = true;
      return;
    }
    bytes_left_ -= size;
    --files_left_;
    write_file(to_, fd, status, path_, path_size);
  }

  void tell(const struct stat& status, size_t path_size) {
    // One more than is wanted is seen only to know that there is one.
    if (--files_left_ == 0) {
      more_ = true;
      return;
    }
    const FileState state{.bytes = static_cast<uint64_t>(status.st_size),
                          .modified_seconds = status.st_mtim.tv_sec,
                          .modified_nanoseconds = static_cast<uint64_t>(status.st_mtim.tv_nsec)};
    const BundleFileHeader header{.path_bytes = static_cast<uint32_t>(path_size),
                                  .content_bytes = sizeof state};
    // A reader that went away is not written to any more.
    if (!write_all(to_, &header, sizeof header) || !write_all(to_, path_, path_size) ||
        !write_all(to_, &state, sizeof state)) {
      files_left_ = 0;
    }
  }

  int to_ = -1;
  char** globs_ = nullptr;
  uint64_t bytes_left_ = 0;
  uint64_t files_left_ = 0;
  bool more_ = false;
  char path_[kMaxPath + 1] = {};
};

Collector collector;

// Answers what a client asks about the files of a session, while no process of the program runs.
// The path is a client's and what it leads to is hostile: each step is beneath /box and through no
// link, and only regular files are read.
class FileKeeper {
 public:
  void answer(int request, int to) {
    to_ = to;
    FileRequest wish{};
    call(SYS_lseek, request, 0, 0);
    if (!read_all(request, &wish, sizeof wish)) return refuse(kEinval);
    if (wish.operation == FileOperation::kList) {
      begin();
      collector.run(to_, {.bytes = 0, .files = wish.most + 1, .globs = nullptr});
      return;
    }
    if (wish.path_bytes == 0 || wish.path_bytes > kMaxPath) return refuse(kEinval);
    if (!read_all(request, path_, wish.path_bytes)) return refuse(kEinval);
    path_[wish.path_bytes] = '\0';
    if (length(path_) != wish.path_bytes) return refuse(kEinval);
    const bool writing = wish.operation == FileOperation::kWrite;
    const char* name = path_;
    const long folder = open_folder(name, writing);
    if (folder < 0) return refuse(folder);
    if (wish.operation == FileOperation::kRead) {
      read(folder, name, wish.path_bytes, wish.most);
    } else if (writing) {
      finish(write(folder, name, request, wish.content_bytes));
    } else if (wish.operation == FileOperation::kRemove) {
      finish(remove(folder, name));
    } else {
      refuse(kEinval);
    }
    call(SYS_close, folder);
  }

 private:
  void begin(long error = 0, uint64_t bytes = 0) {
    const FileAnswer head{.error = static_cast<int32_t>(-error), .bytes = bytes};
    write_all(to_, &head, sizeof head);
  }
  void finish(long error, uint64_t bytes = 0) {
    begin(error, bytes);
    write_end();
  }
  void refuse(long error) { finish(error); }
  void write_end() {
    const BundleEnd end{};
    write_all(to_, &end, sizeof end);
  }

  // The folder of what the path names, and its name in there. `make`: with the folders on the way.
  long open_folder(const char*& name, bool make) {
    long folder = open_box();
    for (char* at = path_; folder >= 0 && *at != '\0'; ++at) {
      if (*at != '/') continue;
      *at = '\0';
      const char* const part = name;
      const long made = make && !is_dots(part) ? call(SYS_mkdirat, folder, address(part), 0755) : 0;
      const long next = is_dots(part) ? kEinval
                        : made < 0 && made != kEexist
                            ? made
                            : open_beneath(folder, part, O_PATH | O_DIRECTORY);
      call(SYS_close, folder);
      folder = next;
      *at = '/';
      name = at + 1;
    }
    if (folder >= 0 && is_dots(name)) {
      call(SYS_close, folder);
      return kEinval;
    }
    return folder;
  }
  // What is no name: nothing, "." and "..".
  static bool is_dots(const char* name) {
    return name[0] == '\0' ||
           (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')));
  }

  void read(long folder, const char* name, uint32_t path_size, uint64_t most) {
    struct stat status{};
    // As for a Collector: looked at first, so that no device or FIFO is opened.
    long error = look_at(folder, name, status);
    if (error == 0) error = why_no_file(status);
    if (error != 0) return refuse(error);
    const long fd = open_beneath(folder, name, O_RDONLY | O_NONBLOCK);
    if (fd < 0) return refuse(fd);
    error = call(SYS_fstat, fd, address(&status));
    if (error == 0) error = why_no_file(status);
    const auto size = static_cast<uint64_t>(status.st_size);
    if (error == 0 && size > most) error = kEfbig;
    if (error != 0) {
      finish(error, size);
    } else {
      begin();
      write_file(to_, static_cast<int>(fd), status, path_, path_size);
      write_end();
    }
    call(SYS_close, fd);
  }
  static long why_no_file(const struct stat& status) {
    if (S_ISREG(status.st_mode)) return 0;
    if (S_ISDIR(status.st_mode)) return kEisdir;
    return S_ISLNK(status.st_mode) ? kEloop : kEmediumtype;
  }

  // Beside what stands there, which stays as it is until the new one is whole.
  static long write(long folder, const char* name, int from, uint64_t bytes) {
    static constexpr const char* kNew = ".belljar-upload";
    call(SYS_unlinkat, folder, address(kNew), 0);
    const long fd = open_beneath(folder, kNew, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0) return fd;
    long error = 0;
    while (error == 0 && bytes > 0) {
      const uint64_t most = bytes < sizeof copy_buffer ? bytes : sizeof copy_buffer;
      if (!read_all(from, copy_buffer, most)) {
        error = kEio;
      } else {
        error = put(fd, copy_buffer, most);
      }
      bytes -= most;
    }
    call(SYS_close, fd);
    if (error == 0) error = call(SYS_renameat, folder, address(kNew), folder, address(name));
    if (error != 0) call(SYS_unlinkat, folder, address(kNew), 0);
    return error;
  }
  static long put(long fd, const char* bytes, uint64_t size) {
    while (size > 0) {
      const long done = call(SYS_write, fd, address(bytes), static_cast<long>(size));
      if (done == kEintr) continue;
      if (done <= 0) return done == 0 ? kEio : done;
      bytes += done;
      size -= static_cast<uint64_t>(done);
    }
    return 0;
  }

  static long remove(long folder, const char* name) {
    const long error = call(SYS_unlinkat, folder, address(name), 0);
    return error == kEisdir ? call(SYS_unlinkat, folder, address(name), AT_REMOVEDIR) : error;
  }

  int to_ = -1;
  char path_[kMaxPath + 1] = {};
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
    int descriptors[2] = {-1, -1};
    const long got = receive(command, descriptors);
    if (got == kEintr || got == kEagain) return;
    // The warden is gone: with pid 1 the whole namespace ends.
    if (got != sizeof command) exit_now(0);
    const auto number = static_cast<long>(command) - static_cast<long>(InitCommand::kSignal);
    if (number > 0 && number <= 64) {
      if (!main_ended_) {
        const AsUser user(arguments_.user);
        call(SYS_kill, kMainPid, number);
      }
      send({.event = InitEvent::kSignalled});
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
          more = collector.run(
              descriptors[0],
              {.bytes = arguments_.bytes, .files = arguments_.files, .globs = arguments_.globs});
        }
        call(SYS_close, descriptors[0]);
        send({.event = InitEvent::kCollected, .more = more ? 1U : 0U});
        return;
      }
      case InitCommand::kFiles: {
        if (empty_ || descriptors[1] < 0) exit_now(1);
        {
          const AsUser user(arguments_.user);
          static FileKeeper keeper;
          keeper.answer(descriptors[0], descriptors[1]);
        }
        // Before the pipe ends: whoever sees that may ask for the next thing.
        send({.event = InitEvent::kFilesDone});
        for (const int descriptor : descriptors) call(SYS_close, descriptor);
        return;
      }
      case InitCommand::kExit:
        exit_now(0);
      case InitCommand::kSignal:
        break;  // no number: not a command
    }
    exit_now(1);
  }

  // One command, and the descriptors that came along or -1.
  static long receive(InitCommand& command, int (&descriptors)[2]) {
    KernelVector vector = {.base = &command, .size = sizeof command};
    Rights rights = {};
    KernelMessage message = {};
    message.vectors = &vector;
    message.vector_count = 1;
    message.control = &rights;
    message.control_size = sizeof rights;
    const long got = call(SYS_recvmsg, kInitControlFd, address(&message), kCloseOnExec);
    if (got <= 0 || message.control_size != sizeof rights) return got;
    descriptors[0] = rights.descriptors[0];
    if (rights.size == sizeof rights) descriptors[1] = rights.descriptors[1];
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
