#include "warden/cell_run.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <span>
#include <utility>

#include "base/bundle.h"
#include "base/sys.h"
#include "cell/enter.h"
#include "cell/enter_processes.h"
#include "cell/handover.h"
#include "warden/parked_interpreter.h"

namespace belljar::warden {
namespace {

constexpr Nanoseconds kSetupPatience = std::chrono::seconds(10);
constexpr Nanoseconds kKillPatience = std::chrono::seconds(1);
// From the SIGINT that tells a session's program of a limit to its end.
constexpr Nanoseconds kOverrunPatience = std::chrono::seconds(1);
constexpr Nanoseconds kPausePatience = std::chrono::seconds(5);
constexpr Nanoseconds kShortestPauseLook = std::chrono::microseconds(50);
constexpr Nanoseconds kLongestPauseLook = std::chrono::milliseconds(5);
// A session that is used again at once keeps what it has read.
constexpr Nanoseconds kReclaimAfter = std::chrono::seconds(1);
// Between two steps, so that other cells are looked after.
constexpr Nanoseconds kReclaimPause = std::chrono::milliseconds(20);
constexpr Nanoseconds kCollectPatience = std::chrono::seconds(30);
constexpr Nanoseconds kFilesPatience = std::chrono::seconds(30);
constexpr Nanoseconds kForever = std::chrono::hours(24);
constexpr Nanoseconds kShortestLook = std::chrono::milliseconds(2);
// Each denial is work outside the cell on its behalf: past this many the listener is closed, and
// what was denied with a reason is from then on denied with ENOSYS by the kernel alone.
constexpr std::uint64_t kMostDenials = 10'000;
constexpr int kLooksForOomKill = 20;

}  // namespace

Result<std::unique_ptr<CellRun>> CellRun::start(const cell::Host& host,
                                                const cell::CellSpec& spec,
                                                const Bundle& files,
                                                CellResources resources,
                                                RunDescriptors descriptors,
                                                Nanoseconds since) {
  TRY_ASSIGN(std::unique_ptr<CellRun> run,
             launch(host, spec, files, std::move(resources), descriptors, false));
  run->since_ = since;
  run->artifacts_ = std::move(descriptors.artifacts);
  return run;
}

Result<std::unique_ptr<CellRun>> CellRun::park(const cell::Host& host,
                                               const cell::CellSpec& spec,
                                               CellResources resources) {
  // Its streams come with its run.
  RunDescriptors nothing;
  for (Fd* const fd : {&nothing.in, &nothing.out, &nothing.err}) {
    TRY_ASSIGN(*fd, sys::open_file("/dev/null", O_RDWR));
  }
  return launch(host, spec, {}, std::move(resources), nothing, true);
}

Result<std::unique_ptr<CellRun>> CellRun::launch(const cell::Host& host,
                                                 const cell::CellSpec& spec,
                                                 const Bundle& files,
                                                 CellResources resources,
                                                 const RunDescriptors& descriptors,
                                                 bool park) {
  std::unique_ptr<CellRun> run(new CellRun(std::move(resources), spec));
  TRY(run->resources_.cgroup.set_limits(spec.limits, spec.without));
  TRY_ASSIGN(auto reports, sys::make_seqpacket());
  TRY_ASSIGN(auto controls, sys::make_seqpacket());
  std::array<Fd, 2> parks;
  if (park) {
    TRY_ASSIGN(parks, sys::make_seqpacket());
  }
  const cell::LaunchFds fds{
      .report = reports[1].get(),
      .control = controls[1].get(),
      .park = parks[1].get(),
      .in = descriptors.in.get(),
      .out = descriptors.out.get(),
      .err = descriptors.err.get(),
      .program = descriptors.program.get(),
      .init_image = host.init_image.get(),
      .net = run->resources_.net.fd(),
      .init_birthplace = run->resources_.cgroup.init_birthplace(),
      .user_birthplace = run->resources_.cgroup.user_birthplace(),
      .init_tasks = run->resources_.cgroup.init_tasks(),
      .user_tasks = run->resources_.cgroup.user_tasks(),
  };
  const cell::CgroupPlace cgroups{.walls = run->resources_.cgroup.walls(),
                                  .mark = "/belljar/" + run->resources_.lease.name(),
                                  .count = run->resources_.cgroup.hierarchies()};
  const cell::Warmth warmth = park ? parked_warmth(spec) : cell::Warmth{};
  if (!warmth.waiting_file.empty()) run->warmth_ = Start::kInterpreter;
  TRY_ASSIGN(const std::unique_ptr<cell::LaunchPlan> plan,
             cell::make_plan(host, spec, files, run->resources_.identity, fds, cgroups, warmth));
  run->result_.walls = plan->walls.bits();

  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = cell::clone_flags(*plan);
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  if (fds.init_birthplace >= 0) {
    arguments.cgroup = static_cast<std::uint64_t>(fds.init_birthplace);
  }
  const long child = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child < 0) return fail_errno("clone the cell");
  if (child == 0) cell::enter(*plan);

  run->pidfd_ = Fd::adopt(pidfd);
  run->report_ = std::move(reports[0]);
  run->control_ = std::move(controls[0]);
  run->park_ = std::move(parks[0]);
  run->kill_deadline_ = sys::now() + kSetupPatience;
  run->schedule();
  return run;
}

Result<std::unique_ptr<CellRun>> CellRun::order(Zygote& zygote,
                                                const cell::Host& host,
                                                const cell::CellSpec& spec,
                                                CellResources resources) {
  static std::uint64_t last_birth = 0;
  std::unique_ptr<CellRun> run(new CellRun(std::move(resources), spec));
  const cell::CgroupSlot& cgroup = run->resources_.cgroup;
  TRY(run->resources_.cgroup.set_limits(spec.limits, spec.without));
  // A run may come before its cell is parked, and the bill of another is never its own.
  if (cgroup.is_renewed()) {
    TRY_ASSIGN(run->before_, cgroup.usage());
  }
  TRY_ASSIGN(auto reports, sys::make_seqpacket());
  TRY_ASSIGN(auto controls, sys::make_seqpacket());
  TRY_ASSIGN(auto parks, sys::make_seqpacket());
  std::string no_files;
  append_end(no_files, false);
  TRY_ASSIGN(const Fd memory, sys::sealed_memfd("belljar-class", cell::encode(spec, no_files)));
  const std::vector<int> init_tasks = cgroup.init_tasks();
  const std::vector<int> user_tasks = cgroup.user_tasks();
  cell::ZygoteRequest request{.id = ++last_birth,
                              .cell = run->resources_.place->number(),
                              .cgroup_walls = cgroup.walls().bits(),
                              .hierarchies = cgroup.hierarchies(),
                              .born_in_groups = cgroup.init_birthplace() >= 0 ? 1U : 0U,
                              .joins_network = run->resources_.net.valid() ? 1U : 0U,
                              .init_tasks = static_cast<std::uint32_t>(init_tasks.size()),
                              .user_tasks = static_cast<std::uint32_t>(user_tasks.size())};
  const std::string mark = "/belljar/" + run->resources_.lease.name();
  mark.copy(request.mark.data(), request.mark.size() - 1);
  std::vector<int> fds{memory.get(), reports[1].get(), controls[1].get(), parks[1].get()};
  if (request.born_in_groups != 0) {
    fds.insert(fds.end(), {cgroup.init_birthplace(), cgroup.user_birthplace()});
  }
  if (request.joins_network != 0) fds.push_back(run->resources_.net.fd());
  fds.insert(fds.end(), init_tasks.begin(), init_tasks.end());
  fds.insert(fds.end(), user_tasks.begin(), user_tasks.end());
  TRY(zygote.request(request, fds));
  run->birth_ = request.id;
  run->warmth_ = Start::kInterpreter;
  // What the zygote will say of its walls counts only as far as the host can give them.
  run->result_.walls = cell::launch_walls(host, spec, cgroup.walls()).bits();
  run->report_ = std::move(reports[0]);
  run->control_ = std::move(controls[0]);
  run->park_ = std::move(parks[0]);
  run->kill_deadline_ = sys::now() + kSetupPatience;
  run->schedule();
  return run;
}

void CellRun::born(Birth birth) {
  birth_ = 0;
  pidfd_ = std::move(birth.pidfd);
  result_.walls &= birth.walls.bits();
  if (!resources_.net.valid() && birth.walls.has(Wall::kNetNamespace)) {
    resources_.net = Network::adopt(std::move(birth.net), has_loopback_);
  }
  if (discarded_ || has_cause_) discard();
  schedule();
}

void CellRun::stillborn() {
  birth_ = 0;
  if (!has_cause_) {
    has_cause_ = true;
    result_.cause = Cause::kSetup;
    result_.setup_error = ECHILD;
  }
  pollfd waiting{.fd = report_.get(), .events = POLLIN, .revents = 0};
  while (::poll(&waiting, 1, 0) == 1 && hear_report()) continue;
  // Should it be there all the same, this is its end; and it has nothing to say any more.
  for (Fd* fd : {&report_, &control_, &park_, &listener_}) fd->reset();
  leave_since_ = sys::now();
  phase_ = Phase::kOver;
  schedule();
}

Status CellRun::hand_over(const cell::CellSpec& spec, GivenRun& run) {
  const RunDescriptors& descriptors = run.descriptors;
  std::vector<int> fds{run.memory.get(), descriptors.in.get(), descriptors.out.get(),
                       descriptors.err.get()};
  if (!resources_.identity.nested_user_namespace) {
    for (std::size_t i = 1; i < fds.size(); ++i) {
      if (!cell::give_pipe(fds[i], resources_.identity.outside)) return fail_errno("fchown");
    }
  }
  if (descriptors.program.valid()) fds.push_back(descriptors.program.get());
  TRY(cell::send_handover(park_.get(), fds));
  park_.reset();
  since_ = run.since;
  given_ = std::move(run);
  given_at_ = sys::now();
  limits_ = spec.limits;
  result_.start = warmth_;
  phase_ = Phase::kBuilding;
  kill_deadline_ = sys::now() + kSetupPatience;
  schedule();
  return {};
}

std::optional<GivenRun> CellRun::take_back() {
  const bool unasked = has_cause_ && result_.cause == Cause::kSetup;
  return unasked ? std::exchange(given_, std::nullopt) : std::nullopt;
}

std::vector<int> CellRun::waits() const {
  std::vector<int> fds;
  if (birth_ != 0) return fds;
  // All that a cell which waits may still tell is its end.
  if (phase_ == Phase::kParked) {
    fds.push_back(pidfd_.get());
    return fds;
  }
  if (phase_ == Phase::kPaused) {
    for (const Fd* fd : {&control_, &pidfd_}) {
      if (fd->valid()) fds.push_back(fd->get());
    }
    return fds;
  }
  for (const Fd* fd : {&report_, &control_, &pidfd_, &listener_}) {
    if (fd->valid()) fds.push_back(fd->get());
  }
  const bool watch_memory = (phase_ == Phase::kRunning || phase_ == Phase::kPausing) &&
                            resources_.cgroup.memory_event() >= 0;
  if (watch_memory) fds.push_back(resources_.cgroup.memory_event());
  return fds;
}

void CellRun::ready(int fd) {
  if (fd == report_.get()) {
    on_report();
  } else if (fd == control_.get()) {
    on_control();
  } else if (fd == listener_.get()) {
    on_listener();
  } else if (fd == pidfd_.get()) {
    on_init_gone();
  } else if (fd == resources_.cgroup.memory_event()) {
    on_memory_event();
  }
  schedule();
}

bool CellRun::hear_report() {
  Result<sys::Message> message = sys::receive_message(report_.get(), sizeof(cell::EnterReport));
  cell::EnterReport report;
  if (!message || message->bytes.size() != sizeof report) return false;
  std::memcpy(&report, message->bytes.data(), sizeof report);
  if (report.kind == cell::EnterReport::Kind::kListener && message->fds.size() == 1) {
    listener_ = std::move(message->fds.front());
  } else if (report.kind == cell::EnterReport::Kind::kParked) {
    on_parked();
  } else if (report.kind == cell::EnterReport::Kind::kTaken && given_) {
    artifacts_ = std::move(given_->descriptors.artifacts);
    given_.reset();
  } else if (report.kind == cell::EnterReport::Kind::kFailed && !has_cause_) {
    has_cause_ = true;
    result_.cause = Cause::kSetup;
    result_.setup_step = static_cast<std::uint32_t>(report.step);
    result_.setup_error = report.error;
  }
  return true;
}

void CellRun::on_report() {
  if (hear_report()) return;
  // The stream has ended: both processes were executed, or one of them has died.
  report_.reset();
  // A process that waited died, whoever killed it, before it had taken what it was given.
  if (given_ && !has_cause_) {
    has_cause_ = true;
    result_.cause = Cause::kSetup;
    result_.setup_error = ECHILD;
  }
  if (has_cause_) {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    return;
  }
  if (phase_ != Phase::kBuilding) return;
  phase_ = Phase::kRunning;
  started_ = true;
  // A short program may be over before its start is seen here: then its time began no earlier than
  // it was given.
  run_since_ = given_at_ != Nanoseconds{} ? given_at_ : sys::now();
  result_.started = 1;
  result_.build_ns = (run_since_ - since_).count();
}

void CellRun::on_parked() {
  // A run that came before pays for its cell.
  if (!park_.valid()) {
    given_at_ = sys::now();
    return;
  }
  // Only from here on the bill is a run's: one that is not to be read is a cell that is not used.
  Result<cell::CgroupUsage> usage = resources_.cgroup.usage();
  if (!usage) {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    return;
  }
  before_ = *std::move(usage);
  // Without a record it serves this cell alone.
  Network& net = resources_.net;
  if (birth_ == 0 && resources_.place && net.valid() && !net.is_recorded())
    (void)net.record().has_value();
  phase_ = Phase::kParked;
  parked_since_ = sys::now();
}

void CellRun::on_control() {
  cell::InitReport report;
  const ssize_t got = ::read(control_.get(), &report, sizeof report);
  if (got != sizeof report) {
    control_.reset();
    return;
  }
  // Init tells this only after both executions or a death: the report has ended, so this does not
  // block, and a program that was over before it was seen to start did start.
  while (report_.valid()) on_report();
  const Nanoseconds now = sys::now();
  if (report.event == cell::InitEvent::kEmpty && !empty_) {
    empty_ = true;
    empty_since_ = now;
    result_.wait_status = report.wait_status;
    result_.leftovers = report.leftovers;
    result_.disk_full = report.disk_full != 0 ? 1 : 0;
    result_.user_ns = static_cast<std::int64_t>(report.user_microseconds) * 1000;
    result_.system_ns = static_cast<std::int64_t>(report.system_microseconds) * 1000;
    result_.cpu_ns = result_.user_ns + result_.system_ns;
    result_.peak_memory = report.max_resident_kib * kKiB;
    result_.run_ns = started_ ? (now - run_since_).count() : 0;
    result_.wall_ns = result_.run_ns;
    if (artifacts_.valid() && started_) {
      phase_ = Phase::kCollecting;
      kill_deadline_ = now + kCollectPatience;
      const int to = artifacts_.get();
      command(cell::InitCommand::kCollect, {&to, 1});
      artifacts_.reset();
      return;
    }
  } else if (report.event == cell::InitEvent::kFilesDone) {
    asked_ = false;
    return;
  } else if (report.event == cell::InitEvent::kSignalled) {
    --signals_;
    if (phase_ == Phase::kPausing) look_whether_paused();
    return;
  } else if (report.event == cell::InitEvent::kCollected) {
    result_.artifacts_more = report.more != 0 ? 1 : 0;
    result_.collect_ns = (now - empty_since_).count();
  }
  phase_ = Phase::kLeaving;
  leave_since_ = now;
  kill_deadline_ = now + kKillPatience;
  command(cell::InitCommand::kExit);
}

void CellRun::on_listener() {
  // A filter that no process uses any more is POLLHUP alone, and an older kernel (6.1) would wait
  // for ever for its next call.
  pollfd waiting{.fd = listener_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, 0) < 0 || (waiting.revents & POLLIN) == 0) {
    if ((waiting.revents & (POLLHUP | POLLERR)) != 0) listener_.reset();
    return;
  }
  seccomp_notif call{};
  if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
    // ENOENT and EINTR: the caller is gone or was interrupted. Anything else: no caller is left.
    if (errno != ENOENT && errno != EINTR) listener_.reset();
    return;
  }
  seccomp_notif_resp answer{};
  answer.id = call.id;
  answer.error = -cell::denial_errno(*profile_, call.data.nr);
  // Fails when the caller died meanwhile, which is no matter.
  ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);

  const auto known =
      std::ranges::find(result_.denied.begin(), result_.denied.begin() + result_.denied_count,
                        call.data.nr, &Denied::number);
  if (known != result_.denied.begin() + result_.denied_count) {
    ++known->count;
  } else if (result_.denied_count < kMaxDenied) {
    result_.denied[result_.denied_count++] = {.number = call.data.nr, .count = 1};
  } else {
    result_.denied_more = 1;
  }
  if (++denials_ >= kMostDenials) {
    result_.denied_more = 1;
    listener_.reset();
  }
}

void CellRun::on_memory_event() {
  std::array<char, 512> drained;  // NOLINT(cppcoreguidelines-pro-type-member-init): read fills it
  if (::read(resources_.cgroup.memory_event(), drained.data(), drained.size()) <= 0) return;
  const auto has_killed = [this] {
    const Result<cell::CgroupUsage> usage = resources_.cgroup.usage();
    return usage && usage->oom_kills > 0;
  };
  // v2 tells of any change of memory.events; v1 of the shortage itself, before it kills somebody
  // and counts that. Whom the warden ends sooner it does not count: so it gets a moment.
  if (resources_.cgroup.memory_event_needs_count()) {
    if (has_killed()) kill_program(Cause::kMemoryLimit);
    return;
  }
  for (int looks = 0; looks < kLooksForOomKill && !has_killed(); ++looks) {
    const timespec pause{.tv_sec = 0, .tv_nsec = 100'000};
    ::nanosleep(&pause, nullptr);
  }
  kill_program(Cause::kMemoryLimit);
}

void CellRun::on_init_gone() {
  siginfo_t info{};
  ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED);
  pidfd_.reset();
  // What the two wrote before they died is still in the sockets.
  while (report_.valid() && hear_report()) continue;
  report_.reset();
  if (!empty_ && !(has_cause_ && result_.cause == Cause::kSetup)) {
    // Whoever ended init, the program's status went with it.
    // A client's word may come before the start of the program was seen, and is no failed set-up.
    const bool on_request =
        has_cause_ && (result_.cause == Cause::kCancelled || result_.cause == Cause::kOutputLimit);
    if (!on_request && (!has_cause_ || !started_))
      result_.cause = started_ ? Cause::kInitLost : Cause::kSetup;
    has_cause_ = true;
    result_.wait_status = SIGKILL;
    const Nanoseconds now = sys::now();
    if (started_) result_.wall_ns = result_.run_ns = (now - run_since_).count();
  }
  if (leave_since_ == Nanoseconds{}) leave_since_ = sys::now();
  control_.reset();
  listener_.reset();
  phase_ = Phase::kOver;
}

void CellRun::end(EndReason reason) {
  kill_program(reason == EndReason::kOutputLimit ? Cause::kOutputLimit : Cause::kCancelled);
}

void CellRun::kill_program(Cause cause) {
  if (phase_ != Phase::kRunning && phase_ != Phase::kBuilding && phase_ != Phase::kPausing &&
      phase_ != Phase::kPaused) {
    return;
  }
  if (!has_cause_) {
    has_cause_ = true;
    result_.cause = cause;
  }
  kill_deadline_ = sys::now() + kKillPatience;
  if (phase_ == Phase::kBuilding) {
    discard();
  } else {
    resources_.cgroup.lift_cpu_limit();
    if (phase_ != Phase::kRunning) resources_.cgroup.kill_frozen();
    command(cell::InitCommand::kKill);
  }
  phase_ = Phase::kEnding;
  schedule();
}

void CellRun::signal_program(int signal) {
  if (phase_ != Phase::kRunning || signal < 1 || signal > 64) return;
  if (command(cell::signal_command(signal))) ++signals_;
}

Status CellRun::pause() {
  // Both executions are over before the program can say anything. What is not there yet is not
  // waited for.
  pollfd waiting{.fd = report_.get(), .events = POLLIN, .revents = 0};
  while (session_ && phase_ == Phase::kBuilding && report_.valid() && ::poll(&waiting, 1, 0) == 1) {
    on_report();
  }
  if (phase_ == Phase::kPaused) has_news_ = true;
  if (phase_ == Phase::kPaused || phase_ == Phase::kPausing) return {};
  if (!session_ || phase_ != Phase::kRunning) {
    return fail(Code::kInvalid, "pause: this cell has no session that runs");
  }
  TRY(resources_.cgroup.freeze(true));
  phase_ = Phase::kPausing;
  kill_deadline_ = sys::now() + kPausePatience;
  pause_look_ = kShortestPauseLook;
  look_whether_paused();
  schedule();
  return {};
}

// A signal that init passes on after the next resume would be taken for one of that execution.
void CellRun::look_whether_paused() {
  if (signals_ > 0 || !resources_.cgroup.is_frozen().value_or(false)) return;
  result_.wall_ns = result_.run_ns = (sys::now() - run_since_).count();
  phase_ = Phase::kPaused;
  has_news_ = true;
  rests_ = false;
  may_reclaim_ = true;
  reclaim_at_ = sys::now() + kReclaimAfter;
}

// Thousands of sessions may stand still at once, and the warden has a number of descriptors. What a
// session has used for so long is not used again by another cell.
void CellRun::rest() {
  resources_.cgroup.rest();
  resources_.net = {};
}

std::optional<Result<CellReport>> CellRun::take_pause() {
  if (!std::exchange(has_news_, false)) return std::nullopt;
  Result<CellReport> bill = report();
  if (bill) bill->cause = overrun_;
  return bill;
}

Status CellRun::resume(Nanoseconds wall, Nanoseconds cpu) {
  if (phase_ != Phase::kPaused || asked_)
    return fail(Code::kInvalid, "resume: this cell is not paused");
  TRY_ASSIGN(before_, resources_.cgroup.usage());
  limits_.wall = wall;
  limits_.cpu = cpu;
  overrun_ = Cause::kProgram;
  result_.denied_count = 0;
  result_.denied_more = 0;
  denials_ = 0;
  result_.build_ns = 0;
  run_since_ = sys::now();
  TRY(resources_.cgroup.freeze(false));
  phase_ = Phase::kRunning;
  schedule();
  return {};
}

Status CellRun::ask_files(int request, int answer) {
  if (phase_ != Phase::kPaused || asked_)
    return fail(Code::kInvalid, "files: this cell is not paused");
  asked_ = true;
  kill_deadline_ = sys::now() + kFilesPatience;
  const std::array<int, 2> descriptors{request, answer};
  command(cell::InitCommand::kFiles, descriptors);
  schedule();
  return {};
}

void CellRun::discard() {
  discarded_ = true;
  if (pidfd_.valid()) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

// A full or closed socket means that init is gone, which its pidfd tells.
bool CellRun::command(cell::InitCommand command, std::span<const int> descriptors) {
  const std::string_view bytes(reinterpret_cast<const char*>(&command), sizeof command);
  return sys::send_message(control_.get(), bytes, descriptors).has_value();
}

std::optional<Nanoseconds> CellRun::cpu_time() const {
  const std::optional<Nanoseconds> all = resources_.cgroup.cpu_time();
  if (!all) return all;
  return std::max(*all - before_.cpu.value_or(Nanoseconds{}), Nanoseconds{});
}

Cause CellRun::passed_limit(Nanoseconds now) const {
  const std::optional<Nanoseconds> cpu = cpu_time();
  if (cpu && *cpu >= limits_.cpu) return Cause::kCpuTime;
  return now - run_since_ >= limits_.wall ? Cause::kWallTime : Cause::kProgram;
}

void CellRun::tick() {
  const Nanoseconds now = sys::now();
  if (phase_ == Phase::kPaused && asked_) {
    // Nothing is due, however long it has stood still; but init has to come to an end.
    if (now >= kill_deadline_) kill_program(Cause::kCancelled);
  } else if (phase_ == Phase::kPaused) {
    if (now >= reclaim_at_ && !std::exchange(rests_, true)) rest();
    may_reclaim_ = may_reclaim_ && (now < reclaim_at_ || resources_.cgroup.reclaim_some());
    if (now >= reclaim_at_) reclaim_at_ = sys::now() + kReclaimPause;
  } else if (phase_ == Phase::kRunning && overrun_ != Cause::kProgram) {
    if (now >= overrun_deadline_) kill_program(overrun_);
  } else if (phase_ == Phase::kRunning) {
    const Cause passed = passed_limit(now);
    if (passed != Cause::kProgram && session_) {
      overrun_ = passed;
      overrun_deadline_ = now + kOverrunPatience;
      signal_program(SIGINT);
    } else if (passed != Cause::kProgram) {
      kill_program(passed);
    }
  } else if (phase_ == Phase::kPausing && now < kill_deadline_) {
    pause_look_ = std::min(2 * pause_look_, kLongestPauseLook);
    look_whether_paused();
  } else if (phase_ == Phase::kPausing) {
    kill_program(overrun_ != Cause::kProgram ? overrun_ : Cause::kWallTime);
  } else if (now >= kill_deadline_ && birth_ != 0) {
    stillborn();
  } else if (now >= kill_deadline_ && pidfd_.valid()) {
    // Init did not do it in time: with init the kernel ends the whole namespace.
    if (phase_ == Phase::kBuilding && !has_cause_) {
      has_cause_ = true;
      result_.cause = Cause::kSetup;
      result_.setup_error = ETIMEDOUT;
    }
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    resources_.cgroup.kill_all();
    kill_deadline_ = now + kKillPatience;
  }
  schedule();
}

// The next moment at which a limit can be passed: with the share of processors that the cell may
// use, the processor clock cannot run out before that.
void CellRun::schedule() {
  const Nanoseconds now = sys::now();
  if (phase_ == Phase::kPaused && asked_) {
    next_look_ = kill_deadline_;
  } else if (phase_ == Phase::kPaused && may_reclaim_) {
    next_look_ = reclaim_at_;
  } else if (phase_ == Phase::kOver || phase_ == Phase::kParked || phase_ == Phase::kPaused) {
    next_look_ = now + kForever;
  } else if (phase_ == Phase::kPausing) {
    next_look_ = std::min(kill_deadline_, now + pause_look_);
  } else if (phase_ != Phase::kRunning) {
    next_look_ = kill_deadline_;
  } else if (overrun_ != Cause::kProgram) {
    next_look_ = overrun_deadline_;
  } else {
    next_look_ = run_since_ + limits_.wall;
    if (const std::optional<Nanoseconds> cpu = cpu_time()) {
      const Nanoseconds left = limits_.cpu > *cpu ? limits_.cpu - *cpu : Nanoseconds{};
      const auto processors = static_cast<std::int64_t>((limits_.cpus_milli + 999) / 1000);
      next_look_ = std::min(next_look_, now + std::max(left / processors, kShortestLook));
    }
  }
}

Result<CellReport> CellRun::report() {
  const Result<cell::CgroupUsage> usage = resources_.cgroup.usage();
  // A bill that cannot be read is never a bill of zero.
  if (!usage) return std::unexpected(usage.error());
  const auto used = [](std::optional<Nanoseconds> all, std::optional<Nanoseconds> before) {
    return std::max(all.value_or(Nanoseconds{}) - before.value_or(Nanoseconds{}), Nanoseconds{})
        .count();
  };
  if (usage->cpu) {
    result_.cpu_ns = used(usage->cpu, before_.cpu);
    result_.user_ns = used(usage->user, before_.user);
    result_.system_ns = used(usage->system, before_.system);
  }
  // The largest process is all that is known without a group. With one it would count what is not
  // the cell's too: pages of files, or of the interpreter that it was forked from.
  if (usage->peak_memory > 0) result_.peak_memory = usage->peak_memory;
  result_.peak_processes = usage->peak_processes;
  result_.oom_kills = usage->oom_kills;
  result_.process_limit_hits = usage->process_limit_hits;
  result_.throttled_periods = usage->throttled_periods - before_.throttled_periods;
  result_.throttled_ns = (usage->throttled - before_.throttled).count();
  if (usage->oom_kills > 0 && result_.cause == Cause::kProgram) result_.cause = Cause::kMemoryLimit;
  // The processor clock is judged once more on the final bill: a burst between two looks counts.
  if (result_.started != 0 && usage->cpu && Nanoseconds(result_.cpu_ns) >= limits_.cpu &&
      result_.cause == Cause::kProgram && WIFSIGNALED(result_.wait_status)) {
    result_.cause = Cause::kCpuTime;
  }
  return result_;
}

Status CellRun::remove(Nanoseconds patience) {
  return resources_.cgroup.remove(patience);
}

Nanoseconds CellRun::teardown() const {
  return sys::now() - leave_since_;
}

}  // namespace belljar::warden
