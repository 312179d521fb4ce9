#include "engine/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/sys.h"

namespace belljar::engine {

Result<warden::Client*> WardenAccess::client() {
  if (!client_) {
    TRY_ASSIGN(client_, connect_());
  }
  return &*client_;
}

Dispatcher::Dispatcher(const DispatcherSettings& settings, const WardenAccess::Connect& connect)
    : settings_(settings) {
  for (std::size_t i = 0; i < settings_.threads; ++i) {
    threads_.emplace_back([this, connect] { work(connect); });
  }
  threads_.emplace_back([this] { watch(); });
}

Dispatcher::~Dispatcher() {
  (void)drain(Nanoseconds{});
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  work_.notify_all();
  watched_.notify_all();
  threads_.clear();  // joins
}

Status Dispatcher::check(const Job& job, std::size_t count) const {
  const std::lock_guard lock(mutex_);
  return check_locked(job, count);
}

Status Dispatcher::check_locked(const Job& job, std::size_t count) const {
  if (job.memory > settings_.memory) {
    return fail(Code::kInvalid, "limits.memory: " + format_bytes(job.memory) +
                                    " is over what this service has for all runs, " +
                                    format_bytes(settings_.memory));
  }
  if (job.cpus_milli > settings_.cpus_milli) {
    return fail(Code::kInvalid, "limits.cpus: more than this service has for all runs");
  }
  if (closed_) return fail(Code::kUnavailable, "the service is shutting down");
  if (const std::size_t most = std::min(settings_.queue, settings_.queue_per_caller);
      count > 1 && count > most) {
    return fail(Code::kInvalid, "runs: at most " + std::to_string(most) +
                                    " of one caller may wait, these are " + std::to_string(count));
  }
  if (waiting_ + count > settings_.queue) return fail(Code::kExhausted, "the queue is full");
  const auto caller = callers_.find(job.caller);
  const std::size_t theirs = caller == callers_.end() ? 0 : caller->second.waiting.size();
  if (theirs + count > settings_.queue_per_caller) {
    return fail(Code::kExhausted, "too many of your runs are waiting: at most " +
                                      std::to_string(settings_.queue_per_caller) + " may");
  }
  return {};
}

Status Dispatcher::submit(Job job) {
  bool wake_watcher = false;
  {
    const std::lock_guard lock(mutex_);
    TRY(check_locked(job, 1));
    callers_[job.caller].waiting.push_back(std::move(job));
    ++waiting_;
    // A worker that is idle takes it now, or sees that it must wait.
    wake_watcher = idle_ == 0 && !std::exchange(watching_, true);
  }
  work_.notify_one();
  if (wake_watcher) watched_.notify_one();
  return {};
}

DispatcherState Dispatcher::state() const {
  const std::lock_guard lock(mutex_);
  return {.waiting = waiting_, .running = running_, .threads = settings_.threads};
}

bool Dispatcher::drain(Nanoseconds patience) {
  std::vector<Job> left;
  {
    std::unique_lock lock(mutex_);
    closed_ = true;
    ended_.wait_for(lock, patience, [this] { return waiting_ == 0 && running_ == 0; });
    for (auto& [name, caller] : callers_) {
      for (Job& job : caller.waiting) left.push_back(std::move(job));
      caller.waiting.clear();
    }
    waiting_ = 0;
    if (left.empty() && running_ == 0) return true;
  }
  for (const Job& job : left) {
    job.give_up({.code = Code::kUnavailable, .message = "the service is shutting down"});
  }
  return false;
}

// Jobs whose time to start is over, taken out of the queue.
void Dispatcher::expire(Nanoseconds now, std::vector<Job>& late) {
  for (auto& [name, caller] : callers_) {
    std::erase_if(caller.waiting, [this, now, &late](Job& job) {
      if (job.deadline > now) return false;
      late.push_back(std::move(job));
      --waiting_;
      return true;
    });
  }
}

// The next caller's first job, in turns. A job for which the budget has no room now holds its turn:
// passing it over would starve whoever asks for much.
std::optional<Job> Dispatcher::next() {
  if (waiting_ == 0) return std::nullopt;
  auto at = callers_.upper_bound(last_);
  for (std::size_t seen = 0; seen < callers_.size(); ++seen, ++at) {
    if (at == callers_.end()) at = callers_.begin();
    Caller& caller = at->second;
    if (caller.waiting.empty()) continue;
    Job& first = caller.waiting.front();
    if (first.concurrent != 0 && caller.running >= first.concurrent) continue;
    if (memory_ + first.memory > settings_.memory ||
        cpus_milli_ + first.cpus_milli > settings_.cpus_milli) {
      return std::nullopt;
    }
    Job job = std::move(first);
    caller.waiting.pop_front();
    last_ = at->first;
    --waiting_;
    ++running_;
    ++caller.running;
    memory_ += job.memory;
    cpus_milli_ += job.cpus_milli;
    return job;
  }
  return std::nullopt;
}

void Dispatcher::forget_empty() {
  std::erase_if(callers_, [](const auto& entry) {
    return entry.second.waiting.empty() && entry.second.running == 0;
  });
}

// Gives up what has waited too long, also while every worker is busy.
void Dispatcher::watch() {
  constexpr auto kLook = std::chrono::milliseconds(100);
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    std::vector<Job> late;
    expire(sys::now(), late);
    if (!late.empty()) {
      lock.unlock();
      for (const Job& each : late) {
        each.give_up({.code = Code::kExhausted, .message = "waited too long in the queue"});
      }
      late.clear();
      lock.lock();
      // One that held its turn may have been among them.
      work_.notify_one();
      ended_.notify_all();
    }
    // Whoever comes to an empty queue wakes it; while something waits it looks by itself.
    watching_ = waiting_ > 0;
    if (watching_) {
      watched_.wait_for(lock, kLook);
    } else {
      watched_.wait(lock, [this] { return watching_ || stopped_; });
    }
  }
}

void Dispatcher::work(const WardenAccess::Connect& connect) {
  WardenAccess access(connect);
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    std::optional<Job> job = next();
    // What is left waiting has nobody else to see its time pass.
    if (waiting_ > 0 && !std::exchange(watching_, true)) watched_.notify_one();
    if (!job) {
      ++idle_;
      work_.wait(lock);
      --idle_;
      continue;
    }
    // One that ended may have made room for several, and the last one woken finds them.
    if (waiting_ > 0) work_.notify_one();
    lock.unlock();
    job->run(access);
    lock.lock();
    --running_;
    memory_ -= job->memory;
    cpus_milli_ -= job->cpus_milli;
    --callers_.at(job->caller).running;
    forget_empty();
    ended_.notify_all();
    // Whatever it holds is let go of outside of the lock.
    lock.unlock();
    job.reset();
    lock.lock();
  }
}

}  // namespace belljar::engine
