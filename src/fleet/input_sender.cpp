#include "fleet/input_sender.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include "base/sys.h"

namespace belljar::fleet {
namespace {

constexpr std::size_t kPiece = 32 * 1024;
constexpr std::size_t kMostControls = 256;
// What the worker has said nothing of is sent again.
constexpr std::chrono::milliseconds kAgainAfter{300};

}  // namespace

InputSender::InputSender(int input, Fd wake, std::function<void(const InputFrame&)> send)
    : input_(input), wake_(std::move(wake)), send_(std::move(send)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

Result<std::unique_ptr<InputSender>> InputSender::make(
    int input, std::function<void(const InputFrame&)> send) {
  Fd wake = Fd::adopt(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return fail_errno("eventfd");
  return std::unique_ptr<InputSender>(new InputSender(input, std::move(wake), std::move(send)));
}

InputSender::~InputSender() {
  thread_.request_stop();
  wake();
}

void InputSender::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t done = ::write(wake_.get(), &one, sizeof one);
}

void InputSender::begin() {
  {
    const std::lock_guard lock(mutex_);
    begun_ = true;
  }
  wake();
}

void InputSender::control(const engine::InputControl& control) {
  {
    const std::lock_guard lock(mutex_);
    const bool cancels = control.kind == engine::InputControl::Kind::kCancel;
    if (controls_ >= kMostControls && !cancels) return;
    push_locked({.kind = InputFrame::Kind::kControl, .bytes = {}, .control = control});
  }
  wake();
}

void InputSender::push_locked(InputFrame frame) {
  frame.number = ++numbered_;
  if (frame.kind == InputFrame::Kind::kControl) ++controls_;
  // Sent by the thread, with those before it.
  if (out_.empty()) sent_ = {};
  out_.push_back(std::move(frame));
}

void InputSender::taken(std::uint64_t frames, std::uint64_t written) {
  {
    const std::lock_guard lock(mutex_);
    while (!out_.empty() && out_.front().number <= frames) {
      if (out_.front().kind == InputFrame::Kind::kControl) --controls_;
      out_.pop_front();
      if (!out_.empty()) sent_ = sys::now();
    }
    written_ = std::clamp(written, written_, read_);
  }
  wake();
}

bool InputSender::may_read_locked() const {
  return begun_ && !ended_ && read_ - written_ + kPiece <= kInputWindow;
}

void InputSender::read_some() {
  std::array<char, kPiece> piece{};
  const ssize_t got = ::read(input_, piece.data(), piece.size());
  if (got < 0) return;
  const std::lock_guard lock(mutex_);
  if (got == 0) {
    ended_ = true;
    push_locked({.kind = InputFrame::Kind::kEnd, .bytes = {}, .control = {}});
    return;
  }
  read_ += static_cast<std::uint64_t>(got);
  push_locked({.kind = InputFrame::Kind::kBytes,
               .bytes = std::string(piece.data(), static_cast<std::size_t>(got)),
               .control = {}});
}

void InputSender::work(const std::stop_token& stop) {
  std::uint64_t sent = 0;  // the number of the last frame that was sent at all
  while (!stop.stop_requested()) {
    bool reads = false;
    std::vector<InputFrame> due;
    {
      const std::lock_guard lock(mutex_);
      reads = may_read_locked();
      const Nanoseconds now = sys::now();
      const bool again = !out_.empty() && sent >= out_.front().number && now - sent_ > kAgainAfter;
      for (const InputFrame& each : out_) {
        if (begun_ && (again || each.number > sent)) due.push_back(each);
      }
      if (!due.empty()) {
        sent_ = now;
        sent = std::max(sent, due.back().number);
      }
    }
    for (const InputFrame& each : due) send_(each);
    std::array<pollfd, 2> waits{{{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = reads ? input_ : -1, .events = POLLIN, .revents = 0}}};
    if (::poll(waits.data(), waits.size(), static_cast<int>(kAgainAfter.count())) <= 0) continue;
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t done = ::read(wake_.get(), &count, sizeof count);
    if (waits[1].revents != 0) read_some();
  }
}

}  // namespace belljar::fleet
