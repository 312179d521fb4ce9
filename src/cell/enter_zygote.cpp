#include "cell/enter_zygote.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cell/enter_locks.h"
#include "cell/enter_mounts.h"
#include "cell/enter_processes.h"
#include "cell/zygote_protocol.h"

namespace belljar::cell {
namespace {

// Until it is another program it holds all that its warden had open, the ends of its own channels
// among them: nothing but the signal tells it that the warden has ended. A change of credentials
// takes the signal back, PR_SET_PDEATHSIG(2const), so this is done again after each.
bool end_with(pid_t warden) {
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && ::getppid() == warden;
}

void tell(int socket, ZygoteMessage::Kind kind, const char* text) {
  ZygoteMessage message{.kind = kind, .error = errno};
  std::strncpy(message.text.data(), text, message.text.size() - 1);
  ::send(socket, &message, sizeof message, MSG_NOSIGNAL);
}

// Every cell gets device nodes of its own, so that a lock on one reaches no other cell. Only root
// of the host can make them, so they are all made here.
bool make_device_folders(const LaunchPlan& plan) {
  // No MS_NODEV: the nodes are to be opened. The root's tmpfs would not let them.
  if (::mount("tmpfs", "run", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=4m,nr_inodes=8192,mode=0755") !=
          0 ||
      ::mkdir("run/dev", 0755) != 0) {
    return false;
  }
  ::umask(0);
  bool ok = true;
  for (unsigned cell = 0; ok && cell < kZygoteCells; ++cell) {
    std::array<char, 32> folder{};
    std::snprintf(folder.data(), folder.size(), "run/dev/%u", cell);
    std::array<char, 40> shm{};
    std::snprintf(shm.data(), shm.size(), "run/dev/%u/shm", cell);
    ok = ::mkdir(folder.data(), 0755) == 0 && make_device_nodes(folder.data(), true) &&
         ::mkdir(shm.data(), 0755) == 0;
    for (const Link& link : plan.links) {
      if (std::strncmp(link.path.c_str(), "dev/", 4) != 0) continue;
      std::array<char, 64> path{};
      std::snprintf(path.data(), path.size(), "%s/%s", folder.data(), link.path.c_str() + 4);
      ok = ok && ::symlink(link.target.c_str(), path.data()) == 0;
    }
  }
  ::umask(022);
  return ok;
}

// What the roots of all its cells have in common, and what each has of its own, made as the uid
// that is root in them. A cell lays them over each other, so that nothing is shared but what is
// written in the files.
bool make_cell_roots(const ZygotePlan& plan) {
  const int top = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int probe = ::open(kZygoteProbe + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
  bool ok = top >= 0 && probe >= 0 && ::close(probe) == 0 && ::mkdir(kZygoteNothing + 1, 0755) == 0;
  for (const char* folder : {kZygoteRoot + 1, kZygoteCellRoots + 1}) {
    ok = ok && ::mkdir(folder, 0755) == 0 && ::chown(folder, plan.first_uid, plan.first_uid) == 0;
  }
  ::setfsgid(plan.first_uid);
  ::setfsuid(plan.first_uid);
  ok = ok && ::chdir(kZygoteRoot + 1) == 0 && make_tree(*plan.root) && ::fchdir(top) == 0 &&
       ::chdir(kZygoteCellRoots + 1) == 0 && write_small_files(plan.cell_files) &&
       ::fchdir(top) == 0;
  const int error = errno;
  ::setfsuid(0);
  ::setfsgid(0);
  ::close(top);
  errno = error;
  return ok;
}

// The kernel lets root of a user namespace mount /proc for a new pid namespace only where one is to
// be seen already (mount_too_revealing(), fs/namespace.c). With hidepid it shows no process of
// others.
bool mount_own_proc() {
  return ::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2") == 0;
}

bool write_library(std::string_view library) {
  const int fd = ::open(kZygoteLibrary + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
  if (fd < 0) return false;
  const ssize_t done = ::write(fd, library.data(), library.size());
  return ::close(fd) == 0 && done == static_cast<ssize_t>(library.size());
}

// What a user namespace's processes use of these counts against its owner too, up to the limit that
// the owner had then (ucounts, kernel 5.14): so the owner is a uid of the zygote's own, and each
// cell is held by limits of its own alone.
bool own_counts(const ZygotePlan& plan) {
  for (const __rlimit_resource each :
       {RLIMIT_NPROC, RLIMIT_SIGPENDING, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE}) {
    rlimit limit{};
    if (::getrlimit(each, &limit) != 0) return false;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(each, &limit) != 0) return false;
  }
  return ::setresgid(plan.first_uid, plan.first_uid, plan.first_uid) == 0 &&
         ::setresuid(-1U, plan.first_uid, -1U) == 0;
}

bool own_namespaces(const ZygotePlan& plan) {
  if (!own_counts(plan) || ::unshare(CLONE_NEWUSER) != 0 || !end_with(plan.warden)) return false;
  tell(plan.socket, ZygoteMessage::Kind::kMapMe, "");
  char mapped = 0;
  if (::recv(plan.socket, &mapped, sizeof mapped, 0) != sizeof mapped) return false;
  // After the user namespace: its root owns them and can make mounts and cells in them.
  return ::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0;
}

bool become_its_root(pid_t warden) {
  // A session of its own: SIGCONT goes to anybody in one's session, whoever that is, kill(2).
  return ::setsid() > 0 && ::setgroups(0, nullptr) == 0 && ::setresgid(0, 0, 0) == 0 &&
         ::setresuid(0, 0, 0) == 0 && end_with(warden) &&
         ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// Pipes, as a program's streams are: an interpreter remembers what it found. Nobody reads them.
bool make_streams() {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    return false;
  const int sink = ::fcntl(out[0], F_DUPFD_CLOEXEC, 64);
  return sink >= 0 && ::dup2(in[0], STDIN_FILENO) == STDIN_FILENO &&
         ::dup2(out[1], STDOUT_FILENO) == STDOUT_FILENO &&
         ::dup2(out[1], STDERR_FILENO) == STDERR_FILENO && ::dup2(sink, kZygoteSinkFd) >= 0;
}

}  // namespace

void enter_zygote(const ZygotePlan& plan) {
  int socket = plan.socket;
  const auto done = [&socket](const char* what, bool ok) {
    if (ok) [[likely]]
      return;
    tell(socket, ZygoteMessage::Kind::kFailed, what);
    ::_exit(125);
  };
  const LaunchPlan& root = *plan.root;
  Channels channels;
  done("end with the warden", end_with(plan.warden));
  done("reset signals", reset_signals());
  done("make mounts private", stop_propagation());
  done("mount the root", mount_root(root, channels));
  done("mount the system directories", mount_system(root));
  done("make the devices", make_devices(root));
  done("make the cells' devices", make_device_folders(root));
  done("make the cells' roots", make_cell_roots(plan));
  done("mount /box, /tmp and /dev/shm", mount_scratch(root));
  done("mount /proc", mount_own_proc());
  done("write /etc", write_small_files(root, channels));
  done("write the library", write_library(plan.library));
  done("leave the host's root", pivot());
  done("make the root read-only", make_read_only(root, channels));
  done("verify the mounts", verify_mounts(root, channels));
  done("make its namespaces", own_namespaces(plan));
  done("become root of its namespace", become_its_root(plan.warden));

  socket = ::fcntl(plan.socket, F_DUPFD_CLOEXEC, 64);
  done("arrange descriptors",
       socket >= 0 && make_streams() && ::dup2(socket, kZygoteSocketFd) == kZygoteSocketFd);
  socket = kZygoteSocketFd;
  done("arrange descriptors", ::syscall(SYS_close_range, kZygoteSinkFd + 1U, ~0U, 0U) == 0);
  done("install its filter", filter_calls(root));
  ::execve(plan.argv[0], plan.argv.data(), plan.envp.data());
  done("execute the interpreter", false);
  ::_exit(125);
}

}  // namespace belljar::cell
