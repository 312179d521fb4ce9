#include "api/live_run.h"

#include <unistd.h>

#include <boost/json.hpp>

#include "base/sys.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {

void LiveRun::add_locked(std::string_view name, std::string data) {
  bytes_ += data.size();
  events_.push_back(
      {.number = events_.size() + 1, .name = std::string(name), .data = std::move(data)});
}

void LiveRun::wake(std::vector<std::function<void()>>& sleepers) {
  for (const auto& each : sleepers) each();
}

void LiveRun::add(std::string_view name, std::string data) {
  std::vector<std::function<void()>> sleepers;
  {
    const std::lock_guard lock(mutex_);
    add_locked(name, std::move(data));
    sleepers.swap(on_more_);
  }
  wake(sleepers);
}

void LiveRun::flush_output(engine::OutputStream stream, std::string& held, bool all) {
  const std::string_view ready = all ? std::string_view(held) : drop_incomplete_end(held);
  if (ready.empty()) return;
  boost::json::object object;
  if (is_valid_utf8(ready)) {
    object["text"] = ready;
  } else {
    object["base64"] = base64_encode(ready);
  }
  const std::size_t taken = ready.size();
  add_locked(stream == engine::OutputStream::kOut ? "stdout" : "stderr", json_text(object));
  held.erase(0, taken);
}

void LiveRun::add_output(engine::OutputStream stream, std::string_view bytes) {
  std::vector<std::function<void()>> sleepers;
  {
    const std::lock_guard lock(mutex_);
    std::string& held = stream == engine::OutputStream::kOut ? held_out_ : held_err_;
    held += bytes;
    flush_output(stream, held, false);
    sleepers.swap(on_more_);
  }
  wake(sleepers);
}

void LiveRun::end(std::string run_json, std::optional<Error> error) {
  std::vector<std::function<void()>> more;
  std::vector<std::function<void()>> ended;
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    flush_output(engine::OutputStream::kOut, held_out_, true);
    flush_output(engine::OutputStream::kErr, held_err_, true);
    add_locked("outcome", run_json);
    over_ = true;
    run_json_ = std::move(run_json);
    error_ = std::move(error);
    // Nobody reads it any more; this object stays for late clients, and its descriptor must not.
    control_.reset();
    held_control_.clear();
    more.swap(on_more_);
    ended.swap(on_end_);
  }
  wake(more);
  wake(ended);
}

std::vector<RunEvent> LiveRun::events_after(std::uint64_t after) const {
  const std::lock_guard lock(mutex_);
  if (after >= events_.size()) return {};
  return {events_.begin() + static_cast<std::ptrdiff_t>(after), events_.end()};
}

bool LiveRun::is_over() const {
  const std::lock_guard lock(mutex_);
  return over_;
}

std::string LiveRun::run_json() const {
  const std::lock_guard lock(mutex_);
  return run_json_;
}

std::optional<Error> LiveRun::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

std::size_t LiveRun::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void LiveRun::on_more(std::uint64_t after, std::function<void()> wake) {
  {
    const std::lock_guard lock(mutex_);
    if (!over_ && events_.size() <= after) {
      on_more_.push_back(std::move(wake));
      return;
    }
  }
  wake();
}

void LiveRun::on_end(std::function<void()> wake) {
  {
    const std::lock_guard lock(mutex_);
    if (!over_) {
      on_end_.push_back(std::move(wake));
      return;
    }
  }
  wake();
}

Result<Fd> LiveRun::open_control() {
  TRY_ASSIGN(sys::Pipe pipe, sys::make_pipe());
  TRY(sys::set_nonblocking(pipe.write.get()));
  const std::lock_guard lock(mutex_);
  control_ = std::move(pipe.write);
  for (const engine::InputControl& message : held_control_) send(message);
  held_control_.clear();
  return std::move(pipe.read);
}

// A pipe that is full of messages loses one; a message is smaller than PIPE_BUF and stays whole.
void LiveRun::send(const engine::InputControl& message) {
  [[maybe_unused]] const ssize_t done = ::write(control_.get(), &message, sizeof message);
}

void LiveRun::control(const engine::InputControl& message) {
  constexpr std::size_t kMostHeld = 64;
  const std::lock_guard lock(mutex_);
  if (control_.valid()) {
    send(message);
  } else if (held_control_.size() < kMostHeld) {
    held_control_.push_back(message);
  }
}

void LiveRun::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  control({.kind = engine::InputControl::Kind::kCancel});
}

bool LiveRun::is_cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

}  // namespace belljar::api
