#include "fleet/input_receiver.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "base/sys.h"
#include "fleet/input_sender.h"

namespace belljar::fleet {
namespace {

// Told again and again: a word that was lost must not be waited for for ever.
constexpr std::chrono::milliseconds kTellEvery{500};
// How soon the end of the run is noticed while the pipe is full.
constexpr int kLookMs = 50;

}  // namespace

InputReceiver::InputReceiver(Fd read, Fd write, Tell tell, Control control)
    : read_(std::move(read)),
      write_(std::move(write)),
      tell_(std::move(tell)),
      control_(std::move(control)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

InputReceiver::~InputReceiver() {
  thread_.request_stop();
}

Result<std::unique_ptr<InputReceiver>> InputReceiver::make(Tell tell, Control control) {
  TRY_ASSIGN(sys::Pipe pipe, sys::make_pipe());
  TRY(sys::set_nonblocking(pipe.write.get()));
  return std::unique_ptr<InputReceiver>(new InputReceiver(
      std::move(pipe.read), std::move(pipe.write), std::move(tell), std::move(control)));
}

void InputReceiver::take(const InputFrame& frame) {
  std::uint64_t frames = 0;
  std::uint64_t written = 0;
  bool controls = false;
  {
    const std::lock_guard lock(mutex_);
    const bool is_next = frame.number == frames_ + 1 && !(ends_ && !frame.bytes.empty());
    if (is_next && held_.size() + frame.bytes.size() <= kInputWindow) {
      ++frames_;
      held_ += frame.bytes;
      ends_ = ends_ || frame.kind == InputFrame::Kind::kEnd;
      controls = frame.kind == InputFrame::Kind::kControl;
      changed_.notify_all();
    }
    frames = frames_;
    written = written_;
  }
  if (controls) control_(frame.control);
  tell_(frames, written);
}

// False where the pipe has no room for now.
bool InputReceiver::write_some(std::string& piece) {
  const ssize_t done = ::write(write_.get(), piece.data(), piece.size());
  if (done <= 0) return false;
  piece.erase(0, static_cast<std::size_t>(done));
  const std::lock_guard lock(mutex_);
  written_ += static_cast<std::uint64_t>(done);
  return true;
}

void InputReceiver::work(const std::stop_token& stop) {
  std::string piece;
  while (!stop.stop_requested()) {
    std::uint64_t frames = 0;
    std::uint64_t written = 0;
    {
      std::unique_lock lock(mutex_);
      if (piece.empty() && held_.empty() && !(ends_ && write_.valid())) {
        changed_.wait_for(lock, stop, kTellEvery,
                          [this] { return !held_.empty() || (ends_ && write_.valid()); });
      }
      if (piece.empty()) piece.swap(held_);
      if (piece.empty() && ends_) write_.reset();
    }
    if (!piece.empty() && !write_some(piece)) {
      pollfd waits{.fd = write_.get(), .events = POLLOUT, .revents = 0};
      ::poll(&waits, 1, kLookMs);
      continue;
    }
    {
      const std::lock_guard lock(mutex_);
      frames = frames_;
      written = written_;
    }
    tell_(frames, written);
  }
}

}  // namespace belljar::fleet
