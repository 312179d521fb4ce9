// Dispatcher: which work runs when. A bounded queue that is fair between callers, a budget of
// memory and processors, and threads that each have a connection to the warden of their own.
//
// Runs in: gateway. Every member may be called from any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "warden/client.h"

namespace belljar::engine {

// A worker thread's way to the warden.
class WardenAccess {
 public:
  using Connect = std::function<Result<warden::Client>()>;
  explicit WardenAccess(Connect connect) : connect_(std::move(connect)) {}

  // The connection, made when there is none.
  Result<warden::Client*> client();
  // Forgets a connection that failed: the next client() makes another.
  void drop() { client_.reset(); }

 private:
  Connect connect_;
  std::optional<warden::Client> client_;
};

// Work that waits for its turn.
struct Job {
  std::string caller;  // whose turn it takes
  // What it holds of the budget while it runs.
  std::uint64_t memory = 0;
  std::uint64_t cpus_milli = 0;
  std::size_t concurrent = 0;  // at most so many of this caller's at once; 0: no limit of its own
  Nanoseconds deadline{};      // CLOCK_MONOTONIC: not started later than this
  std::function<void(WardenAccess&)> run;
  // Instead of run, when the deadline passes in the queue or the dispatcher stops.
  std::function<void(Error)> give_up;
};

struct DispatcherSettings {
  std::size_t threads = 4;   // most jobs at once
  std::size_t queue = 1000;  // most jobs that wait
  std::size_t queue_per_caller = 100;
  std::uint64_t memory = 4 * kGiB;  // that running jobs hold together
  std::uint64_t cpus_milli = 8000;  // that running jobs hold together
};

struct DispatcherState {
  std::size_t waiting = 0;
  std::size_t running = 0;
  std::size_t threads = 0;
};

class Dispatcher {
 public:
  Dispatcher(const DispatcherSettings& settings, const WardenAccess::Connect& connect);
  // Gives up what waits and waits for what runs.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // kExhausted when the queue is full, whole or for this caller; kInvalid for a job that no empty
  // machine could hold.
  Status submit(Job job);
  // What submit() would say to `count` jobs like this one now; kInvalid also for more than could
  // ever wait.
  [[nodiscard]] Status check(const Job& job, std::size_t count = 1) const;
  // No new jobs; what waits and what runs is finished, or given up when the time is over. Answers
  // whether everything was finished.
  bool drain(Nanoseconds patience);
  [[nodiscard]] DispatcherState state() const;

 private:
  [[nodiscard]] Status check_locked(const Job& job, std::size_t count) const;
  void work(const WardenAccess::Connect& connect);
  void watch();
  void expire(Nanoseconds now, std::vector<Job>& late);
  std::optional<Job> next();
  void forget_empty();

  const DispatcherSettings settings_;
  mutable std::mutex mutex_;
  std::condition_variable work_;     // there may be a job that can be started
  std::condition_variable watched_;  // something waits, where nothing did
  std::condition_variable ended_;    // a job has ended
  struct Caller {
    std::deque<Job> waiting;
    std::size_t running = 0;
  };
  std::map<std::string, Caller> callers_;
  std::string last_;  // the caller who had the last turn
  std::size_t waiting_ = 0;
  std::size_t running_ = 0;
  std::uint64_t memory_ = 0;
  std::uint64_t cpus_milli_ = 0;
  std::size_t idle_ = 0;   // workers that wait for a job
  bool watching_ = false;  // the watcher looks by itself, again and again
  bool closed_ = false;
  bool stopped_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace belljar::engine
