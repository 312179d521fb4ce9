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
#include <string_view>
#include <utility>
#include <vector>

#include "base/bundle.h"
#include "base/sys.h"
#include "cell/enter_mounts.h"
#include "cell/parked_protocol.h"

namespace belljar::cell {
namespace {

constexpr std::uint32_t kHandoverMagic = 0x564f4842;
constexpr std::size_t kFewestFds = 4;

struct Handover {
  TakenRun run;
  std::string_view bytes;  // a mapping
  Bundle bundle;           // views into it
  int in = -1, out = -1, err = -1;
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
  handover.run.spec = std::move(decoded->spec);
  handover.bytes = {static_cast<const char*>(bytes), size};
  handover.bundle = *std::move(bundle);
  const bool has_program = handover.run.spec.program_by_descriptor;
  if (has_program != (fds.size() > kFewestFds)) return false;
  handover.in = fds[1].release();
  handover.out = fds[2].release();
  handover.err = fds[3].release();
  if (has_program) handover.run.program = fds[4].release();
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

// The interpreter finds the three at fixed numbers, and nothing else.
void execute_waiting(const LaunchPlan& plan, ParkedFds fds) {
  constexpr int kPast = kParkedBoxFd + 1;
  if (fds.box < 0) fds.box = ::open("/box", O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (int* const fd : {&fds.report, &fds.park, &fds.box}) {
    *fd = ::fcntl(*fd, F_DUPFD_CLOEXEC, kPast);
    if (*fd < 0) return;
  }
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0 ||
      ::dup2(fds.report, kParkedReportFd) < 0 || ::dup2(fds.park, kParkedSocketFd) < 0 ||
      ::dup2(fds.box, kParkedBoxFd) < 0 || ::chdir(plan.waiting_folder.c_str()) != 0) {
    return;
  }
  ::execve(plan.waiting_file.c_str(), plan.waiting_argv.data(), plan.waiting_envp.data());
}

}  // namespace

Status send_handover(int park, std::span<const int> fds) {
  return sys::send_message(
      park, {reinterpret_cast<const char*>(&kHandoverMagic), sizeof kHandoverMagic}, fds);
}

TakenRun take_run(const ParkedFds& fds) {
  const Steps steps(fds.report);
  const auto tell = [&](EnterReport::Kind kind) {
    const EnterReport report{.kind = kind};
    steps.done(EnterStep::kHandover,
               ::send(fds.report, &report, sizeof report, MSG_NOSIGNAL) == sizeof report);
  };
  tell(EnterReport::Kind::kParked);
  Handover handover;
  steps.done(EnterStep::kHandover, receive_handover(fds.park, handover));
  // To a warden that has given up this cell and runs the program in another it cannot be told.
  tell(EnterReport::Kind::kTaken);
  steps.done(EnterStep::kFiles, write_late_files(handover.bundle.files, fds.box));
  steps.done(EnterStep::kStdio, install_stdio(handover));
  steps.done(EnterStep::kHandover,
             ::munmap(const_cast<char*>(handover.bytes.data()), handover.bytes.size()) == 0);
  return std::move(handover.run);
}

void execute_run(const TakenRun& run, const Steps& steps) {
  const std::vector<char*> argv = pointers(run.spec.argv);
  const std::vector<char*> envp = pointers(run.spec.env);
  // Nothing but 0, 1 and 2 may be open in the program, whoever forgot a flag.
  steps.done(EnterStep::kSpareDescriptors,
             ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0);
  if (run.program >= 0) {
    ::syscall(SYS_execveat, run.program, "", argv.data(), envp.data(), AT_EMPTY_PATH);
  } else {
    ::execve(argv[0], argv.data(), envp.data());
  }
  steps.done(EnterStep::kExec, false);
  ::_exit(125);
}

void wait_for_run(const LaunchPlan& plan, const Steps& steps, const Channels& channels) {
  const ParkedFds fds{.report = plan.fds.report, .park = plan.fds.park, .box = channels.box};
  if (!plan.waiting_file.empty()) {
    execute_waiting(plan, fds);
    steps.done(EnterStep::kInterpreter, false);
  }
  if (plan.interpreter != nullptr) {
    plan.interpreter->wake();
    if (!is_there(plan.fds.park)) plan.interpreter->rehearse();
  }
  const TakenRun run = take_run(fds);
  if (plan.interpreter != nullptr && run.program < 0) {
    steps.done(EnterStep::kSpareDescriptors, close_all_but(plan.fds.report));
    plan.interpreter->run(run.spec, plan.fds.report);
  }
  execute_run(run, steps);
}

}  // namespace belljar::cell
