#include "cell/handover.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/bundle.h"
#include "base/sys.h"
#include "cell/enter_mounts.h"

namespace belljar::cell {
namespace {

constexpr std::uint32_t kHandoverMagic = 0x564f4842;
constexpr std::size_t kFewestFds = 4;

struct Handover {
  CellSpec spec;
  Bundle bundle;  // views into a mapping that lives as long as the process
  int in = -1, out = -1, err = -1;
  int program = -1;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

bool put(int fd, int number) {
  return ::dup2(fd, number) == number && ::close(fd) == 0;
}

// The run came before its cell was ready.
bool is_there(int park) {
  pollfd waiting{.fd = park, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 0) == 1;
}

bool receive_handover(int park, Handover& handover) {
  Result<sys::Message> message = sys::receive_message(park, sizeof kHandoverMagic);
  if (!message) {
    errno = message.error().sys;
    return false;
  }
  // The warden has let go of this cell: it is about to be destroyed.
  if (message->bytes.empty()) ::_exit(0);
  std::vector<Fd>& fds = message->fds;
  errno = EBADMSG;
  if (message->bytes.size() != sizeof kHandoverMagic || fds.size() < kFewestFds) return false;
  struct stat status{};
  if (::fstat(fds[0].get(), &status) != 0) return false;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fds[0].get(), 0);
  if (bytes == MAP_FAILED) return false;
  errno = EBADMSG;
  Result<DecodedSpec> decoded = decode({static_cast<const char*>(bytes), size});
  if (!decoded) return false;
  Result<Bundle> bundle = parse_bundle(decoded->bundle);
  if (!bundle || decoded->spec.argv.empty()) return false;
  handover.spec = std::move(decoded->spec);
  handover.bundle = *std::move(bundle);
  if (handover.spec.program_by_descriptor != (fds.size() > kFewestFds)) return false;
  handover.in = fds[1].release();
  handover.out = fds[2].release();
  handover.err = fds[3].release();
  if (handover.spec.program_by_descriptor) handover.program = fds[4].release();
  return true;
}

bool install_stdio(const Handover& handover) {
  // dup2 clears close-on-exec on the copies. The numbers of the three are above 2: those are taken.
  return put(handover.in, STDIN_FILENO) && put(handover.out, STDOUT_FILENO) &&
         put(handover.err, STDERR_FILENO);
}

// Everything but 0, 1, 2 and this one.
bool close_all_but(int fd) {
  const auto number = static_cast<unsigned>(fd);
  return (number == 3 || ::syscall(SYS_close_range, 3U, number - 1, 0U) == 0) &&
         ::syscall(SYS_close_range, number + 1, ~0U, 0U) == 0;
}

void execute_handover(const Handover& handover) {
  const std::vector<char*> argv = pointers(handover.spec.argv);
  const std::vector<char*> envp = pointers(handover.spec.env);
  // Nothing but 0, 1 and 2 may be open in the program, whoever forgot a flag.
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return;
  if (handover.program >= 0) {
    ::syscall(SYS_execveat, handover.program, "", argv.data(), envp.data(), AT_EMPTY_PATH);
  } else {
    ::execve(argv[0], argv.data(), envp.data());
  }
}

}  // namespace

Status send_handover(int park, std::span<const int> fds) {
  return sys::send_message(
      park, {reinterpret_cast<const char*>(&kHandoverMagic), sizeof kHandoverMagic}, fds);
}

void wait_for_run(const LaunchPlan& plan, const Steps& steps, const Channels& channels) {
  if (plan.interpreter != nullptr) {
    plan.interpreter->wake();
    if (!is_there(plan.fds.park)) plan.interpreter->rehearse();
  }
  const auto tell = [&](EnterReport::Kind kind) {
    const EnterReport report{.kind = kind};
    steps.done(EnterStep::kHandover,
               ::send(plan.fds.report, &report, sizeof report, MSG_NOSIGNAL) == sizeof report);
  };
  tell(EnterReport::Kind::kParked);
  Handover handover;
  steps.done(EnterStep::kHandover, receive_handover(plan.fds.park, handover));
  // To a warden that has given up this cell and runs the program in another it cannot be told.
  tell(EnterReport::Kind::kTaken);
  steps.done(EnterStep::kFiles, write_late_files(handover.bundle.files, channels.box));
  steps.done(EnterStep::kStdio, install_stdio(handover));
  if (plan.interpreter != nullptr && handover.program < 0) {
    steps.done(EnterStep::kSpareDescriptors, close_all_but(plan.fds.report));
    plan.interpreter->run(handover.spec, plan.fds.report);
  }
  execute_handover(handover);
  steps.done(EnterStep::kExec, false);
  ::_exit(125);
}

}  // namespace belljar::cell
