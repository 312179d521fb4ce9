#include "engine/stage_io.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

#include "base/sys.h"
#include "base/units.h"

namespace belljar::engine {
namespace {

constexpr std::size_t kChunk = 64 * kKiB;

std::array<char, kChunk>& chunk() {
  static thread_local std::array<char, kChunk> buffer;
  return buffer;
}

struct TerminalPair {
  Fd ours;
  Fd cells;
};

Result<TerminalPair> open_terminal(int person) {
  TerminalPair pair;
  pair.ours = Fd::adopt(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!pair.ours.valid() || ::grantpt(pair.ours.get()) != 0 || ::unlockpt(pair.ours.get()) != 0) {
    return fail_errno("open a pseudo-terminal");
  }
  // By descriptor and not by name, so that no path can be put in between (ioctl_tty(2)).
  pair.cells = Fd::adopt(::ioctl(pair.ours.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!pair.cells.valid()) return fail_errno("open the pseudo-terminal's other side");
  winsize size{};
  if (::ioctl(person, TIOCGWINSZ, &size) == 0) ::ioctl(pair.ours.get(), TIOCSWINSZ, &size);
  return pair;
}

}  // namespace

std::string_view keep_within(Stream& stream, std::string_view bytes, std::uint64_t most) {
  stream.total_bytes += bytes.size();
  const std::size_t room = most - std::min<std::size_t>(most, stream.data.size());
  const std::string_view kept = bytes.substr(0, room);
  stream.data.append(kept);
  return kept;
}

Result<StageIo::Ends> StageIo::open_streams(const cell::CellSpec& spec, const Input& input) {
  Ends ends;
  if (spec.terminal) {
    TRY_ASSIGN(TerminalPair pair, open_terminal(input.fd));
    terminal_ = std::move(pair.ours);
    ends.in = std::move(pair.cells);
    ends.out = Fd::adopt(::fcntl(ends.in.get(), F_DUPFD_CLOEXEC, 0));
    ends.err = Fd::adopt(::fcntl(ends.in.get(), F_DUPFD_CLOEXEC, 0));
    out_ = Fd::adopt(::fcntl(terminal_.get(), F_DUPFD_CLOEXEC, 0));
    if (!ends.out.valid() || !ends.err.valid() || !out_.valid())
      return fail_errno("F_DUPFD_CLOEXEC");
  } else {
    TRY_ASSIGN(sys::Pipe out, sys::make_pipe());
    TRY_ASSIGN(sys::Pipe err, sys::make_pipe());
    out_ = std::move(out.read);
    err_ = std::move(err.read);
    ends.out = std::move(out.write);
    ends.err = std::move(err.write);
    if (input.kind == Input::Kind::kEmpty) {
      TRY_ASSIGN(ends.in, sys::open_file("/dev/null", O_RDONLY));
    } else {
      TRY_ASSIGN(sys::Pipe in, sys::make_pipe());
      ends.in = std::move(in.read);
      in_ = std::move(in.write);
    }
  }
  if (!spec.artifacts.empty()) {
    TRY_ASSIGN(sys::Pipe artifacts, sys::make_pipe());
    artifacts_ = std::move(artifacts.read);
    ends.artifacts = std::move(artifacts.write);
  }
  for (const Fd* fd : {&in_, &out_, &err_, &artifacts_, &terminal_}) {
    if (fd->valid()) TRY(sys::set_nonblocking(fd->get()));
  }
  return ends;
}

Result<StageResult> StageIo::run(StageKind kind,
                                 const cell::CellSpec& spec,
                                 std::string_view bundle,
                                 const Input& input,
                                 int program,
                                 Observer& observer) {
  static std::atomic<std::uint64_t> last_id = 0;
  const std::uint64_t id = ++last_id;
  if (input.warm) TRY(warm_up(id, spec));
  {
    TRY_ASSIGN(const Ends ends, open_streams(spec, input));
    const warden::CellFds fds{.in = ends.in.get(),
                              .out = ends.out.get(),
                              .err = ends.err.get(),
                              .artifacts = ends.artifacts.get(),
                              .program = program};
    TRY(client_.run(id, spec, bundle, fds));
  }
  if (input.kind == Input::Kind::kBytes) {
    pending_ = input.bytes;
    input_done_ = true;
  }
  if (input.kind == Input::Kind::kEmpty) input_done_ = true;
  TRY(loop(kind, id, input, observer));
  return std::move(result_);
}

Status StageIo::warm_up(std::uint64_t id, const cell::CellSpec& spec) {
  TRY(client_.keep(1));
  TRY(client_.prepare(id, spec));
  while (true) {
    TRY_ASSIGN(const warden::Reply reply, client_.receive());
    if (reply.id == id && reply.kind == warden::ReplyKind::kPrepared) return {};
  }
}

Status StageIo::loop(StageKind kind, std::uint64_t id, const Input& input, Observer& observer) {
  while (!ended_) {
    if (input_done_ && pending_at_ >= pending_.size() && !terminal_.valid()) in_.reset();
    std::array<pollfd, 8> waits{};
    std::size_t count = 0;
    const auto wait_for = [&waits, &count](int fd, short events) {
      if (fd < 0) return SIZE_MAX;
      waits[count] = {.fd = fd, .events = events, .revents = 0};
      return count++;
    };
    const int feed_fd = terminal_.valid() ? terminal_.get() : in_.get();
    const bool has_pending = pending_at_ < pending_.size();
    const std::size_t warden = wait_for(client_.fd(), POLLIN);
    const std::size_t out = wait_for(out_.get(), POLLIN);
    const std::size_t err = wait_for(err_.get(), POLLIN);
    const std::size_t artifacts = wait_for(artifacts_.get(), POLLIN);
    const std::size_t feed_at = wait_for(has_pending ? feed_fd : -1, POLLOUT);
    const bool wants_input = !input_done_ && !has_pending && feed_fd >= 0;
    const std::size_t source = wait_for(wants_input ? input.fd : -1, POLLIN);
    const std::size_t signals = wait_for(input.signal_fd, POLLIN);
    const std::size_t control = wait_for(control_done_ ? -1 : input.control_fd, POLLIN);
    if (::poll(waits.data(), count, -1) < 0 && errno != EINTR) return fail_errno("poll");
    const auto is_ready = [&waits](std::size_t at) {
      return at != SIZE_MAX && waits[at].revents != 0;
    };

    if (is_ready(out)) read_stream(out_, result_.out, kind, OutputStream::kOut, id, observer);
    if (is_ready(err)) read_stream(err_, result_.err, kind, OutputStream::kErr, id, observer);
    if (is_ready(artifacts)) read_artifacts();
    if (is_ready(source) && take_input(input.fd)) observer.on_input();
    if (is_ready(feed_at)) feed(input);
    if (is_ready(signals)) on_signal(input, id, observer);
    if (is_ready(control)) on_control(input.control_fd, id, observer);
    if (is_ready(warden)) {
      TRY_ASSIGN(const warden::Reply reply, client_.receive());
      const bool is_ours = reply.id == id;
      if (is_ours && reply.kind == warden::ReplyKind::kRefused) {
        return fail(static_cast<Code>(reply.error_code), reply.text.data());
      }
      if (is_ours && reply.kind == warden::ReplyKind::kEnded) {
        result_.report = reply.report;
        ended_ = true;
      }
    }
  }
  // Nobody is left who could write: what is in the pipes is all, even if an end is open somewhere.
  while (read_stream(out_, result_.out, kind, OutputStream::kOut, id, observer)) {
  }
  while (read_stream(err_, result_.err, kind, OutputStream::kErr, id, observer)) {
  }
  while (read_artifacts()) {
  }
  if (read_error_ != 0) return fail_errno("read the program's output", read_error_);
  // It may have been over before the word to end it came.
  if (on_limit_ == OnOutputLimit::kKill && (result_.out.truncated || result_.err.truncated) &&
      result_.report.cause == warden::Cause::kProgram) {
    result_.report.cause = warden::Cause::kOutputLimit;
  }
  return {};
}

bool StageIo::take_input(int fd) {
  const ssize_t got = ::read(fd, chunk().data(), chunk().size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return false;
  if (got <= 0) {
    input_done_ = true;
    pending_.clear();
    // A terminal has no end to close; its line discipline takes ^D for it.
    if (terminal_.valid()) pending_ = "\x04";
    pending_at_ = 0;
    return false;
  }
  pending_.assign(chunk().data(), static_cast<std::size_t>(got));
  pending_at_ = 0;
  return true;
}

void StageIo::feed(const Input& input) {
  const int fd = terminal_.valid() ? terminal_.get() : in_.get();
  const ssize_t done = ::write(fd, pending_.data() + pending_at_, pending_.size() - pending_at_);
  if (done < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (done < 0) {
    // The program closed its stdin: the rest is of no use to it.
    pending_.clear();
    pending_at_ = 0;
    if (input.kind != Input::Kind::kTerminal) {
      input_done_ = true;
      in_.reset();
    }
    return;
  }
  pending_at_ += static_cast<std::size_t>(done);
}

bool StageIo::read_stream(Fd& fd,
                          Stream& stream,
                          StageKind kind,
                          OutputStream which,
                          std::uint64_t id,
                          Observer& observer) {
  if (!fd.valid()) return false;
  const ssize_t got = ::read(fd.get(), chunk().data(), chunk().size());
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) return false;
  // EIO is how a pseudo-terminal says that its other side is closed; bytes lost to any other error
  // must not pass for all there was.
  if (got < 0 && errno != EIO) read_error_ = errno;
  if (got <= 0) {
    fd.reset();
    return false;
  }
  const auto size = static_cast<std::size_t>(got);
  const std::string_view kept = keep_within(stream, {chunk().data(), size}, limits_.output);
  if (!kept.empty()) observer.on_output(kind, which, kept);
  if (kept.size() == size || stream.truncated) return true;
  stream.truncated = true;
  // A warden that is gone says so by itself.
  if (on_limit_ == OnOutputLimit::kKill) {
    (void)client_.end(id, warden::EndReason::kOutputLimit).has_value();
  }
  return true;
}

bool StageIo::read_artifacts() {
  if (!artifacts_.valid()) return false;
  const ssize_t got = ::read(artifacts_.get(), chunk().data(), chunk().size());
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) return false;
  if (got <= 0) {
    artifacts_.reset();
    return false;
  }
  // Init keeps to the limit; that it might not is no reason to run out of memory here.
  const std::size_t most = limits_.artifacts + kMaxFiles * (kMaxPathBytes + 64);
  if (result_.artifacts.size() + static_cast<std::size_t>(got) > most) {
    artifacts_.reset();
    return false;
  }
  result_.artifacts.append(chunk().data(), static_cast<std::size_t>(got));
  return true;
}

void StageIo::on_signal(const Input& input, std::uint64_t id, Observer& observer) {
  signalfd_siginfo info{};
  if (::read(input.signal_fd, &info, sizeof info) != sizeof info) return;
  if (info.ssi_signo == SIGWINCH) {
    winsize size{};
    if (terminal_.valid() && ::ioctl(input.fd, TIOCGWINSZ, &size) == 0) {
      ::ioctl(terminal_.get(), TIOCSWINSZ, &size);
    }
    return;
  }
  cancel(static_cast<int>(info.ssi_signo), id, observer);
}

void StageIo::on_control(int fd, std::uint64_t id, Observer& observer) {
  InputControl message;
  const ssize_t got = ::read(fd, &message, sizeof message);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got != sizeof message) {
    control_done_ = true;
    return;
  }
  switch (message.kind) {
    case InputControl::Kind::kCancel:
      cancel(message.signal, id, observer);
      return;
    case InputControl::Kind::kSignal:
      // A warden that is gone says so by itself.
      (void)client_.signal(id, message.signal).has_value();
      return;
    case InputControl::Kind::kResize: {
      winsize size{};
      size.ws_row = message.rows;
      size.ws_col = message.columns;
      if (terminal_.valid()) ::ioctl(terminal_.get(), TIOCSWINSZ, &size);
      return;
    }
  }
}

void StageIo::cancel(int signal, std::uint64_t id, Observer& observer) {
  result_.cancelled_by = signal;
  (void)client_.end(id, warden::EndReason::kCancelled).has_value();
  observer.on_cancel();
}

}  // namespace belljar::engine
