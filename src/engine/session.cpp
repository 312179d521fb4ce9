#include "engine/session.h"

#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <tuple>
#include <utility>

#include "base/sys.h"
#include "base/text.h"
#include "engine/cell_request.h"
#include "engine/session_driver.h"
#include "engine/stage_io.h"
#include "engine/verdict.h"

namespace belljar::engine {
namespace {

constexpr std::size_t kChunk = 64 * kKiB;
constexpr std::size_t kMostResultBytes = 8 * kMiB;
constexpr std::size_t kMostResults = 1000;
constexpr std::size_t kMostNote = 1 * kMiB;
constexpr Nanoseconds kSettlePatience = std::chrono::seconds(2);
constexpr Nanoseconds kBeginPatience = std::chrono::seconds(20);  // for the interpreter to come up
// Beyond limits.output; who heeds no SIGINT for so long is ended.
constexpr std::size_t kMostUnheeded = 64 * kMiB;
// Asks a driver whether it executes something: a request for a context that no name is allowed for.
constexpr std::uint64_t kProbe = 1;
constexpr std::string_view kNoContext = "?";
constexpr std::string_view kInFlight = "is still in flight";  // how a driver says that it does

// RLIMIT_CPU counts a process's whole life, which here is many executions: they are held to their
// limit by the warden's clock, and the kernel's bounds the session.
Limits cell_limits(const Limits& wanted) {
  Limits limits = wanted;
  limits.cpu = highest_limits().cpu;
  // Of the beginning; each execution brings its own.
  limits.wall = kBeginPatience;
  return limits;
}

ExecutionStatus status_of(std::string_view said) {
  if (said == "ok") return ExecutionStatus::kOk;
  if (said == "interrupted") return ExecutionStatus::kInterrupted;
  if (said == "exited") return ExecutionStatus::kExited;
  if (said == "died") return ExecutionStatus::kDied;
  return ExecutionStatus::kError;
}

}  // namespace

std::string_view to_string(ExecutionStatus status) {
  switch (status) {
    case ExecutionStatus::kOk:
      return "ok";
    case ExecutionStatus::kError:
      return "error";
    case ExecutionStatus::kInterrupted:
      return "interrupted";
    case ExecutionStatus::kTimeout:
      return "timeout";
    case ExecutionStatus::kOutputLimit:
      return "output_limit";
    case ExecutionStatus::kExited:
      return "exited";
    case ExecutionStatus::kDied:
      return "died";
    case ExecutionStatus::kEnded:
      break;
  }
  return "ended";
}

Result<std::unique_ptr<Session>> Session::create(warden::Client client,
                                                 const Plan& plan,
                                                 const Policy& policy,
                                                 const Submission& submission) {
  // Sessions that are kept have no connection to tell them apart.
  std::uint64_t id = 0;
  if (::getrandom(&id, sizeof id, 0) != sizeof id) return fail_errno("getrandom");
  std::unique_ptr<Session> session(
      new Session(std::move(client), id, plan.stages.run.limits, policy.on_output_limit));
  TRY(session->open(plan, policy, submission));
  return session;
}

Status Session::open(const Plan& plan, const Policy& policy, const Submission& submission) {
  std::array<int, 2> raw{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw.data()) != 0) {
    return fail_errno("socketpair");
  }
  driver_ = Fd::adopt(raw[0]);
  const Fd theirs = Fd::adopt(raw[1]);
  TRY_ASSIGN(sys::Pipe out, sys::make_pipe());
  TRY_ASSIGN(sys::Pipe err, sys::make_pipe());
  out_ = std::move(out.read);
  err_ = std::move(err.read);
  for (const Fd* fd : {&driver_, &out_, &err_}) TRY(sys::set_nonblocking(fd->get()));
  cell::CellSpec spec = spec_of(plan.stages.run, policy);
  spec.limits = cell_limits(limits_);
  std::vector<File> files = submission.files;
  files.insert(files.end(), plan.files.begin(), plan.files.end());
  TRY(client_.run(
      id_, spec, bundle_of(files),
      {.in = theirs.get(), .out = out.write.get(), .err = err.write.get(), .session = true}));
  execution_limits_ = limits_;
  TRY(loop(Wait::kReady));
  TRY(come_to_rest());
  if (!over_) {
    start_ = paused_->start;
    walls_ = WallSet::from_bits(paused_->walls);
    unheard_ = {};
    return {};
  }
  unheard_.limits = limits_;
  finish(unheard_);
  std::string said = unheard_.session_end->reason;
  if (!unheard_.err.data.empty()) said += "; " + quote(unheard_.err.data);
  return fail(Code::kUnavailable, "the session's interpreter did not come up: " + said);
}

Result<std::optional<Session::Kept>> Session::adopt(warden::Client client, const ReadNote& read) {
  TRY_ASSIGN(auto adopted, client.adopt_session());
  if (!adopted) return std::nullopt;
  // Made first: whatever is wrong with it, it is ended with this object.
  std::unique_ptr<Session> session(
      new Session(std::move(client), adopted->id, {}, OnOutputLimit::kKill));
  const std::string path = "/proc/self/fd/" + std::to_string(adopted->fds[3].get());
  TRY_ASSIGN(std::string note, sys::read_file(path.c_str(), kMostNote));
  TRY_ASSIGN(std::tie(session->limits_, session->on_limit_), read(note));
  session->driver_ = std::move(adopted->fds[0]);
  session->out_ = std::move(adopted->fds[1]);
  session->err_ = std::move(adopted->fds[2]);
  session->ready_ = true;
  session->execution_limits_ = session->limits_;
  TRY(session->settle(adopted->was_running));
  if (session->over_) return fail(Code::kUnavailable, "the session did not outlive its gateway");
  session->start_ = session->paused_->start;
  session->walls_ = WallSet::from_bits(session->paused_->walls);
  return Kept{.session = std::move(session), .note = std::move(note)};
}

// Paused, with nothing under way. What was executed when its gateway went is interrupted, and its
// end thrown away; that may have come already, and perhaps nothing was.
Status Session::settle(bool was_running) {
  last_request_ = 0;
  executing_ = was_running;
  TRY(come_to_rest());
  if (was_running && !over_ && !done_) {
    paused_.reset();
    pending_ = context_frame(kProbe, "remove_context", kNoContext, {});
    TRY(client_.resume(id_, kSettlePatience, kSettlePatience));
    TRY(client_.signal(id_, SIGINT));
    TRY(loop(Wait::kDone));
    TRY(come_to_rest());
  }
  executing_ = false;
  interrupted_ = was_running;
  drain();
  unheard_ = {};
  last_request_ = static_cast<std::uint64_t>(sys::now().count());
  return {};
}

Status Session::keep(std::string_view note) {
  TRY_ASSIGN(const Fd memory, sys::sealed_memfd("belljar-session", note));
  const std::array<int, warden::kKeptFds> fds{driver_.get(), out_.get(), err_.get(), memory.get()};
  return client_.keep_session(id_, fds);
}

Session::~Session() {
  if (over_ || !client_.end(id_, warden::EndReason::kCancelled)) return;
  while (!over_ && hear_warden()) continue;
}

Result<Execution> Session::execute(std::string_view context,
                                   std::string_view code,
                                   std::span<const std::string> env,
                                   const Limits& limits,
                                   SessionObserver& observer,
                                   bool marshalled) {
  const std::string frame = execute_frame(++last_request_, context, code, env, marshalled);
  if (frame.size() > kMaxFrameToDriver) {
    return fail(Code::kInvalid, "code: is longer than " + format_bytes(kMaxFrameToDriver));
  }
  return perform(frame, limits, &observer);
}

Result<Execution> Session::change_context(std::string_view op,
                                          std::string_view context,
                                          std::string_view cwd) {
  return perform(context_frame(++last_request_, op, context, cwd), limits_, nullptr);
}

Result<Execution> Session::perform(const std::string& frame,
                                   const Limits& limits,
                                   SessionObserver* observer) {
  if (over_) return fail(Code::kConflict, "the session has ended");
  Execution made;
  made.limits = limits;
  made_ = &made;
  observer_ = observer;
  execution_limits_ = limits;
  result_bytes_ = 0;
  done_.reset();
  paused_.reset();
  executing_ = true;
  const auto performed = [&]() -> Status {
    TRY(client_.resume(id_, limits.wall, limits.cpu));
    if (interrupted_.exchange(false)) TRY(pass_late_interrupt());
    pending_ = frame;
    TRY(loop(Wait::kDone));
    executing_ = false;
    return come_to_rest();
  }();
  executing_ = false;
  drain();
  made_ = &unheard_;
  observer_ = nullptr;
  if (!performed) {
    // Where the cell stands is not known any more.
    stop();
    if (!over_) over_ = warden::CellReport{};
    return std::unexpected(performed.error());
  }
  finish(made);
  return made;
}

// An interrupt may come when what it was for is over, and wait for the driver until that runs
// again: which must not take it for one of what comes next. What it answers, it answers before
// that.
Status Session::pass_late_interrupt() {
  const std::uint64_t request = std::exchange(last_request_, kProbe);
  pending_ = context_frame(kProbe, "remove_context", kNoContext, {});
  TRY(loop(Wait::kDone));
  done_.reset();
  last_request_ = request;
  return {};
}

// Until no process of the cell runs; a cell that has ended rests already.
Status Session::come_to_rest() {
  if (over_) return {};
  TRY(client_.pause(id_));
  return loop(Wait::kPaused);
}

// At rest, what is in the pipes is all that it wrote.
void Session::drain() {
  while (read_stream(out_, made_->out, OutputStream::kOut)) continue;
  while (read_stream(err_, made_->err, OutputStream::kErr)) continue;
}

void Session::interrupt() {
  if (!executing_) return;
  interrupted_ = true;
  (void)client_.signal(id_, SIGINT).has_value();
}

bool Session::is_well() const {
  pollfd news{.fd = client_.fd(), .events = POLLIN, .revents = 0};
  return !over_ && ::poll(&news, 1, 0) == 0;
}

std::optional<Session::End> Session::heard_end() {
  if (!over_) {
    if (is_well()) return std::nullopt;
    if (const Status heard = hear_warden(); !heard) {
      over_ = warden::CellReport{};
      return End{.with_warden = true, .reason = "the warden that held it has ended"};
    }
    if (!over_) return std::nullopt;
  }
  Execution last;
  last.limits = limits_;
  finish(last);
  return End{.reason = last.reason};
}

void Session::stop() {
  (void)client_.end(id_, warden::EndReason::kCancelled).has_value();
}

bool Session::has_come(Wait wait) const {
  if (over_) return true;
  switch (wait) {
    case Wait::kReady:
      return ready_;
    case Wait::kDone:
      return done_.has_value();
    case Wait::kPaused:
      return paused_.has_value();
  }
  return true;
}

// The warden ends what goes past its limits, so that this comes to an end whatever the cell does.
Status Session::loop(Wait wait) {
  while (!has_come(wait)) {
    std::array<pollfd, 4> waits{};
    waits[0] = {.fd = client_.fd(), .events = POLLIN, .revents = 0};
    const short writing = pending_.empty() ? 0 : POLLOUT;
    waits[1] = {.fd = driver_.get(), .events = static_cast<short>(POLLIN | writing), .revents = 0};
    waits[2] = {.fd = out_.get(), .events = POLLIN, .revents = 0};
    waits[3] = {.fd = err_.get(), .events = POLLIN, .revents = 0};
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
    if (waits[2].revents != 0) read_stream(out_, made_->out, OutputStream::kOut);
    if (waits[3].revents != 0) read_stream(err_, made_->err, OutputStream::kErr);
    if ((waits[1].revents & POLLOUT) != 0) flush_pending();
    if ((waits[1].revents & ~POLLOUT) != 0) hear_driver();
    if (waits[0].revents != 0) TRY(hear_warden());
  }
  return {};
}

Status Session::hear_warden() {
  TRY_ASSIGN(const warden::Reply reply, client_.receive());
  if (reply.id != id_) return {};
  if (reply.kind == warden::ReplyKind::kRefused) {
    over_ = warden::CellReport{};
    return fail(static_cast<Code>(reply.error_code), reply.text.data());
  }
  if (reply.kind == warden::ReplyKind::kPaused) paused_ = reply.report;
  if (reply.kind == warden::ReplyKind::kEnded) over_ = reply.report;
  return {};
}

void Session::hear_driver() {
  std::array<char, kChunk> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read fills it
  const ssize_t got = ::read(driver_.get(), chunk.data(), chunk.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  // Its end is the cell's, which the warden tells; and one that only closed this has until its
  // limit.
  if (got <= 0) return driver_.reset();
  frames_.put({chunk.data(), static_cast<std::size_t>(got)});
  while (driver_.valid()) {
    const auto json = frames_.next();
    if (!json) return give_up_on_driver(json.error().message);
    if (!*json) return;
    take_frame(**json);
  }
}

void Session::take_frame(std::string_view json) {
  Result<DriverFrame> frame = read_driver_frame(json);
  if (!frame) return give_up_on_driver(frame.error().message);
  if (frame->kind == DriverFrame::Kind::kReady) {
    // Once: others read the version meanwhile.
    if (ready_) return;
    ready_ = true;
    version_ = std::move(frame->version);
    return;
  }
  // What comes late, or of nothing that was asked for, is dropped.
  const bool settling = last_request_ == 0;
  const bool wanted = settling || frame->id == last_request_;
  if (settling && frame->id == kProbe && frame->reason.ends_with(kInFlight)) return;
  if (!executing_ || !wanted || done_) return;
  switch (frame->kind) {
    case DriverFrame::Kind::kReady:
      return;
    case DriverFrame::Kind::kDone:
      done_ = std::move(*frame);
      return;
    case DriverFrame::Kind::kError:
      made_->error = std::move(frame->json);
      return;
    case DriverFrame::Kind::kResult:
      result_bytes_ += frame->json.size();
      if (result_bytes_ > kMostResultBytes || made_->results.size() >= kMostResults) {
        made_->results_truncated = true;
        return;
      }
      if (observer_ != nullptr) observer_->on_result(frame->json);
      made_->results.push_back(std::move(frame->json));
      return;
  }
}

// A cell whose driver does not keep to the protocol is of no use any more.
void Session::give_up_on_driver(std::string reason) {
  driver_.reset();
  pending_.clear();
  trouble_ = std::move(reason);
  stop();
}

void Session::flush_pending() {
  const ssize_t done = ::send(driver_.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL);
  if (done < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (done < 0) {
    pending_.clear();
    return driver_.reset();
  }
  pending_.erase(0, static_cast<std::size_t>(done));
}

bool Session::read_stream(Fd& fd, Stream& stream, OutputStream which) {
  if (!fd.valid()) return false;
  std::array<char, kChunk> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read fills it
  const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) return false;
  if (got <= 0) {
    fd.reset();
    return false;
  }
  const auto size = static_cast<std::size_t>(got);
  const std::string_view kept = keep_within(stream, {chunk.data(), size}, execution_limits_.output);
  if (!kept.empty() && observer_ != nullptr) observer_->on_output(which, kept);
  if (kept.size() == size) return true;
  if (on_limit_ == OnOutputLimit::kKill && executing_) {
    if (!stream.truncated) interrupt();
    if (stream.total_bytes > execution_limits_.output + kMostUnheeded) stop();
  }
  stream.truncated = true;
  return true;
}

void Session::finish(Execution& made) {
  StageResult result{.report = over_ ? *over_ : *paused_, .out = {}, .err = {}, .artifacts = {}};
  const bool cut = made.out.truncated || made.err.truncated;
  if (!over_ && cut && on_limit_ == OnOutputLimit::kKill &&
      result.report.cause == warden::Cause::kProgram) {
    result.report.cause = warden::Cause::kOutputLimit;
  }
  const StageOutcome stage = judge(StageKind::kRun, result, made.limits);
  made.usage = stage.usage;
  made.events = stage.events;
  made.denied = stage.denied;
  made.denied_more = stage.denied_more;
  if (over_) {
    made.status = ExecutionStatus::kEnded;
    made.session_end = stage;
    made.reason = trouble_.empty() ? stage.reason : trouble_;
    return;
  }
  // The warden has interrupted it then.
  if (paused_->cause != warden::Cause::kProgram) interrupted_ = true;
  made.status = status_of(done_->status);
  made.reason = done_->reason;
  made.exit_code = done_->exit_code;
  made.signal = done_->signal;
  made.count = done_->count;
  made.files = std::move(done_->files);
  // What it was interrupted for comes before what its interpreter says of it.
  if (result.report.cause == warden::Cause::kProgram) return;
  made.status = stage.status == RunStatus::kTimeout ? ExecutionStatus::kTimeout
                                                    : ExecutionStatus::kOutputLimit;
  made.clock = stage.clock;
  made.reason = stage.reason;
}

}  // namespace belljar::engine
