#include "api/live_run.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <utility>

#include "base/sys.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

std::string output_json(std::string_view bytes) {
  boost::json::object object;
  if (is_valid_utf8(bytes)) {
    object["text"] = bytes;
  } else {
    object["base64"] = base64_encode(bytes);
  }
  return json_text(object);
}

}  // namespace

void LiveRun::add_locked(std::string_view name, std::string bytes, bool is_output) {
  // What a program writes in small pieces is one event as long as nobody has its beginning.
  constexpr std::size_t kMostJoined = 64 * kKiB;
  if (is_output && pieces_ == Pieces::kJoined && events_.size() > taken_ &&
      events_.back().name == name && events_.back().bytes.size() + bytes.size() <= kMostJoined) {
    bytes_ += bytes.size();
    events_.back().bytes += bytes;
    return;
  }
  bytes_ += sizeof(Stored) + bytes.size();
  events_.push_back({.name = name, .bytes = std::move(bytes), .is_output = is_output});
}

void LiveRun::wake(std::vector<std::function<void()>>& sleepers) {
  for (const auto& each : sleepers) each();
}

void LiveRun::add(std::string_view name, std::string data) {
  std::vector<std::function<void()>> sleepers;
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    add_locked(name, std::move(data), false);
    sleepers.swap(on_more_);
  }
  wake(sleepers);
}

void LiveRun::flush_output(engine::OutputStream stream, std::string& held, bool all) {
  const std::string_view ready = all ? std::string_view(held) : drop_incomplete_end(held);
  if (ready.empty()) return;
  const std::size_t taken = ready.size();
  add_locked(stream == engine::OutputStream::kOut ? "stdout" : "stderr", std::string(ready), true);
  held.erase(0, taken);
}

void LiveRun::add_output(engine::OutputStream stream, std::string_view bytes) {
  std::vector<std::function<void()>> sleepers;
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    std::string& held = stream == engine::OutputStream::kOut ? held_out_ : held_err_;
    held += bytes;
    flush_output(stream, held, false);
    sleepers.swap(on_more_);
  }
  wake(sleepers);
}

void LiveRun::end(std::string run_json,
                  std::optional<Error> error,
                  std::shared_ptr<const Outcome> outcome) {
  std::vector<std::function<void()>> more;
  std::vector<std::function<void()>> ended;
  std::function<void(const engine::InputControl&)> sink;
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    flush_output(engine::OutputStream::kOut, held_out_, true);
    flush_output(engine::OutputStream::kErr, held_err_, true);
    add_locked("outcome", {}, false);
    over_ = true;
    run_json_ = std::move(run_json);
    bytes_ += run_json_.size();
    error_ = std::move(error);
    outcome_ = std::move(outcome);
    events_.shrink_to_fit();
    // Nobody reads it any more; this object stays for late clients, and its descriptor must not.
    control_.reset();
    sink.swap(control_sink_);
    held_control_.clear();
    more.swap(on_more_);
    ended.swap(on_end_);
  }
  wake(more);
  wake(ended);
}

std::vector<RunEvent> LiveRun::events_after(std::uint64_t after) {
  const std::lock_guard lock(mutex_);
  std::vector<RunEvent> events;
  for (std::uint64_t at = after; at < events_.size(); ++at) {
    const Stored& stored = events_[at];
    const bool is_outcome = over_ && at + 1 == events_.size();
    events.push_back({.number = at + 1,
                      .name = std::string(stored.name),
                      .data = is_outcome         ? run_json_
                              : stored.is_output ? output_json(stored.bytes)
                                                 : stored.bytes});
  }
  taken_ = std::max<std::uint64_t>(taken_, events_.size());
  return events;
}

bool LiveRun::is_watched() const {
  const std::lock_guard lock(mutex_);
  return !on_more_.empty();
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

std::shared_ptr<const Outcome> LiveRun::take_outcome() {
  const std::lock_guard lock(mutex_);
  return std::exchange(outcome_, nullptr);
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

void LiveRun::forward_control(std::function<void(const engine::InputControl&)> sink) {
  std::vector<engine::InputControl> held;
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    control_sink_ = sink;
    held.swap(held_control_);
  }
  for (const engine::InputControl& message : held) sink(message);
}

void LiveRun::control(const engine::InputControl& message) {
  constexpr std::size_t kMostHeld = 64;
  std::unique_lock lock(mutex_);
  if (control_sink_) {
    const auto sink = control_sink_;
    lock.unlock();
    sink(message);
  } else if (control_.valid()) {
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
