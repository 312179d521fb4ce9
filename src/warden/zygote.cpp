#include "warden/zygote.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "base/bundle.h"
#include "base/sys.h"
#include "cell/enter_zygote.h"
#include "cell/plan.h"
#include "cell/seccomp.h"
#include "warden/zygote_library.h"

namespace belljar::warden {
namespace {

using cell::ZygoteMessage;

// Cells of one zygote share their memory layout and hash seed: not for ever.
constexpr unsigned kMostCells = 2000;
constexpr Nanoseconds kPatience = std::chrono::seconds(15);
constexpr Nanoseconds kLongestLife = std::chrono::minutes(10);

Status write_map(pid_t pid, const char* name, const std::string& text) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  TRY_ASSIGN(const Fd file, sys::open_file(path.c_str(), O_WRONLY));
  return sys::write_all(file.get(), text);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// What its root is mounted from: a cell's plan, with the host's directories bound and not laid
// over, for an overlay over an overlay is as deep as the kernel goes (FILESYSTEM_MAX_STACK_DEPTH).
Result<std::unique_ptr<cell::LaunchPlan>> plan_root(const cell::Host& host,
                                                    const cell::CellSpec& spec,
                                                    uid_t owner) {
  cell::CellSpec own;
  own.mounts = spec.mounts;
  own.without = {Wall::kPrivateRoot, Wall::kProc};
  cell::LaunchFds fds;
  TRY_ASSIGN(auto plan, cell::make_plan(host, own, {}, {.user = owner, .init = owner}, fds, {}));
  plan->user_filter = cell::find_profile("zygote")->plain;
  plan->user_filter_counts = false;
  return plan;
}

}  // namespace

Result<std::unique_ptr<Zygote>> Zygote::start(const cell::Host& host,
                                              std::shared_ptr<ZygoteShare> share,
                                              const cell::CellSpec& spec) {
  std::unique_ptr<Zygote> zygote(new Zygote);
  TRY_ASSIGN(const auto root, plan_root(host, spec, share->first));

  std::string names;
  for (const std::string& name : spec.preload) names += (names.empty() ? "" : ",") + name;
  std::vector<std::string> argv{spec.interpreter.front(), cell::kZygoteScript};
  std::vector<std::string> env = spec.interpreter_env;
  env.push_back(std::string("LD_PRELOAD=") + cell::kZygoteLibrary);
  env.push_back(std::string(cell::kZygotePreload) + "=" + names);
  std::vector<cell::SmallFile> cell_files;
  for (unsigned cell = 0; cell < cell::kZygoteCells; ++cell) {
    for (cell::SmallFile& file : cell::user_files(cell::zygote_user(cell))) {
      file.path.insert(0, std::to_string(cell) + "/");
      cell_files.push_back(std::move(file));
    }
  }
  TRY_ASSIGN(auto sockets, sys::make_seqpacket());
  const cell::ZygotePlan plan{.root = root.get(),
                              .warden = ::getpid(),
                              .first_uid = share->first,
                              .socket = sockets[1].get(),
                              .library = zygote_library(),
                              .cell_files = std::move(cell_files),
                              .argv = pointers(argv),
                              .envp = pointers(env)};
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_NEWNS | CLONE_CLEAR_SIGHAND | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  if (const int birthplace = share->branch.birthplace(); birthplace >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(birthplace);
  }
  const long child = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child < 0) return fail_errno("clone the zygote");
  if (child == 0) cell::enter_zygote(plan);
  zygote->share_ = std::move(share);
  zygote->pid_ = static_cast<pid_t>(child);
  zygote->pidfd_ = Fd::adopt(pidfd);
  zygote->socket_ = std::move(sockets[0]);
  TRY(sys::set_nonblocking(zygote->socket_.get()));
  zygote->since_ = sys::now();
  return zygote;
}

Zygote::~Zygote() {
  if (!pidfd_.valid()) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  siginfo_t info{};
  ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED);
}

bool Zygote::has_failed() const {
  return failed_ || (owed_ > 0 && sys::now() - asked_ > kPatience);
}

bool Zygote::is_spent() const {
  return made_ >= kMostCells || sys::now() - since_ > kLongestLife;
}

std::unique_ptr<ZygoteCell> Zygote::place() {
  if (share_->free.empty()) return nullptr;
  const unsigned number = share_->free.front();
  share_->free.erase(share_->free.begin());
  return std::make_unique<ZygoteCell>(share_, number);
}

Status Zygote::request(const cell::ZygoteRequest& request, std::span<const int> fds) {
  ++made_;
  TRY(sys::send_message(socket_.get(), {reinterpret_cast<const char*>(&request), sizeof request},
                        fds));
  ++owed_;
  asked_ = sys::now();
  return {};
}

std::optional<pid_t> Zygote::own_child(const Fd& pidfd) const {
  // What is no child of the warden's cannot be waited for, waitid(2).
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    return std::nullopt;
  const Result<std::string> text =
      sys::read_file(("/proc/self/fdinfo/" + std::to_string(pidfd.get())).c_str(), kKiB);
  const std::size_t at = text ? text->find("Pid:") : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  const auto user_namespace = [](pid_t pid) {
    std::array<char, 64> name{};
    const std::string link = "/proc/" + std::to_string(pid) + "/ns/user";
    return ::readlink(link.c_str(), name.data(), name.size() - 1) > 0 ? std::string(name.data())
                                                                      : std::string();
  };
  const auto pid = static_cast<pid_t>(std::strtol(text->c_str() + at + 4, nullptr, 10));
  const std::string theirs = user_namespace(pid);
  if (theirs.empty() || theirs != user_namespace(pid_)) return std::nullopt;
  return pid;
}

std::optional<Birth> Zygote::hear() {
  Result<sys::Message> received = sys::receive_message(socket_.get(), sizeof(ZygoteMessage));
  if (!received && received.error().code == Code::kExhausted) return std::nullopt;
  ZygoteMessage message;
  if (!received || received->bytes.size() != sizeof message) {
    failed_ = true;
    return std::nullopt;
  }
  std::memcpy(&message, received->bytes.data(), sizeof message);
  message.text.back() = '\0';
  switch (message.kind) {
    case ZygoteMessage::Kind::kMapMe: {
      const std::string map =
          "0 " + std::to_string(share_->first) + " " + std::to_string(cell::kZygoteUids) + "\n";
      failed_ = !write_map(pid_, "uid_map", map) || !write_map(pid_, "gid_map", map) ||
                !sys::send_message(socket_.get(), "m", {});
      return std::nullopt;
    }
    case ZygoteMessage::Kind::kReady:
      ready_ = true;
      return std::nullopt;
    case ZygoteMessage::Kind::kBorn: {
      if (owed_ == 0 || received->fds.size() != 1) break;
      const std::optional<pid_t> child = own_child(received->fds.front());
      if (!child) break;
      --owed_;
      const std::string net = "/proc/" + std::to_string(*child) + "/ns/net";
      return Birth{.id = message.id,
                   .pidfd = std::move(received->fds.front()),
                   .walls = WallSet::from_bits(message.walls),
                   .net = sys::open_file(net.c_str(), O_RDONLY).value_or(Fd()),
                   .error = {}};
    }
    case ZygoteMessage::Kind::kFailed:
      if (!ready_ || owed_ == 0) break;
      --owed_;
      return Birth{
          .id = message.id, .pidfd = {}, .walls = {}, .net = {}, .error = message.text.data()};
  }
  failed_ = true;
  return std::nullopt;
}

}  // namespace belljar::warden
