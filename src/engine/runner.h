// Runner: who runs programs for the service: this process (LocalRunner), or the workers of a fleet.
// Whoever submits does not know which.
//
// Every member may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "engine/engine.h"
#include "model/labels.h"

namespace belljar::engine {

// One run, as whoever runs it tells of it: calls come one after another, from any thread.
class RunListener : public Observer {
 public:
  // The run's name in a fleet.
  [[nodiscard]] virtual const std::string& id() const = 0;
  // Its turn has come, for the `attempt`th time from 1 on that it is given to who runs it; 0: once
  // more than before. False: it is not to be run any more, and nothing else is told. Where it is
  // begun again somebody who counts tells so by a higher number; none is told twice.
  virtual bool on_start(std::uint64_t attempt) = 0;
  // Before on_start(), where that is told late: its turn had come so long ago.
  virtual void on_began(Nanoseconds /*ago*/) {}
  // What its program reads; asked once for each time that it is begun.
  [[nodiscard]] virtual Input input() const = 0;
  // Where it runs here: where InputControl messages come in, anew for each time that it is begun.
  virtual Result<Fd> open_control() = 0;
  // Where it runs elsewhere: such messages go to `sink`, those that came before it too.
  virtual void forward_control(std::function<void(const InputControl&)> sink) = 0;
  // False where it would repeat what somebody has heard, or miss what was typed.
  [[nodiscard]] virtual bool may_begin_again() const = 0;
  // The last call, where it was started: what happened, or what Belljar could not do.
  virtual void on_end(Result<Outcome> outcome) = 0;
  // The last call, where it was not: its time in the queue is over, or the service stops
  // (kUnavailable).
  virtual void on_give_up(const Error& error) = 0;
};

// Who waits: of several runs that could be next, the lower goes first where the runner has classes.
enum class Urgency : std::uint8_t { kInteractive, kAsynchronous, kBatch };

// One program and the runs of it. Compiled once where the runner runs them in one place.
struct Task {
  std::string caller;  // whose turn it takes, and whose compiled programs it may use
  std::string language;
  const Policy* policy = nullptr;                // outlives the runner
  std::shared_ptr<const Submission> submission;  // of each of the runs
  std::vector<std::shared_ptr<RunListener>> runs;
  // What it holds of the budget while it runs.
  std::uint64_t memory = 0;
  std::uint64_t cpus_milli = 0;
  std::size_t concurrent = 0;  // at most so many of this caller's at once; 0: no limit of its own
  Nanoseconds deadline{};      // CLOCK_MONOTONIC: not started later than this
  Urgency urgency = Urgency::kInteractive;
  bool streamed = false;       // what its runs write may be wanted while they run
  bool interactive = false;    // what its runs read comes while they run
  Labels labels{};             // of where its runs are to be run
  std::uint64_t attempts = 0;  // how often they were given to somebody to run before
};

// An archive to unpack in a cell, in turn like a run.
struct Unpacking {
  std::string caller;
  std::string archive;
  Labels labels{};                                      // of where it is to be unpacked
  Nanoseconds deadline{};                               // CLOCK_MONOTONIC
  std::function<void(Result<std::vector<File>>)> done;  // called once, from another thread
};

struct RunnerState {
  std::size_t waiting = 0;
  std::size_t running = 0;
  std::size_t capacity = 0;  // most at once
};

// A number that goes up and down, by the name that it has among the service's metrics.
struct Gauge {
  std::string_view name;  // a literal; those of one name stand together
  double value = 0;
  std::string labels{};  // as they stand between the braces
};

// What a run that another process submitted says while it runs, from its beginning on.
class Following {
 public:
  Following() = default;
  virtual ~Following() = default;
  Following(const Following&) = delete;
  Following& operator=(const Following&) = delete;
  // Tells what came since the last time, on this thread; after the run's end all of it.
  virtual void catch_up() = 0;
};

class Runner {
 public:
  Runner() = default;
  virtual ~Runner() = default;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Each run of the task is ended or given up once, unless its listener did not want it. kExhausted
  // when the queue is full, whole or for this caller; kInvalid for what nobody could hold;
  // kUnavailable where nobody is there who could run it.
  virtual Status submit(Task task) = 0;
  // What submit() would say to `count` tasks like this one now; kInvalid also for more than could
  // ever wait.
  [[nodiscard]] virtual Status check(const Task& task, std::size_t count) const = 0;
  virtual Status unpack(Unpacking unpacking) = 0;
  // A run that another process submitted; who submitted it here tells it through its control.
  virtual void cancel_elsewhere(const std::string& run) = 0;
  // `observer` is told by the Following and lives as long. Nothing where runs say nothing to
  // others.
  virtual std::unique_ptr<Following> follow(const std::string& run, Observer& observer) = 0;
  // Takes nothing more; what waits and what runs is finished, or given up when the time is over.
  // Answers whether everything was finished.
  virtual bool drain(Nanoseconds patience) = 0;
  // kUnavailable where nothing can be run at all now, and why.
  [[nodiscard]] virtual Status ready() const = 0;
  // Whether programs of this language can be run now.
  [[nodiscard]] virtual bool has(const runtime::Manifest& language) const = 0;
  [[nodiscard]] virtual RunnerState state() const = 0;
  // Where several processes are one service: `count` requests of this caller were let in here now,
  // and so many in the last minute at the others, as far as they have said.
  virtual void let_in(const std::string& caller, std::size_t count) = 0;
  [[nodiscard]] virtual std::size_t let_in_elsewhere(const std::string& caller) const = 0;
  // Of its own, besides its state.
  [[nodiscard]] virtual std::vector<Gauge> gauges() const = 0;
};

}  // namespace belljar::engine
