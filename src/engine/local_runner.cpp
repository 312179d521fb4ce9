#include "engine/local_runner.h"

#include <optional>
#include <thread>

#include "engine/archive.h"

namespace belljar::engine {
namespace {

// What a job of the dispatcher is but for what it does.
Job job_of(const Task& task) {
  return {.caller = task.caller,
          .memory = task.memory,
          .cpus_milli = task.cpus_milli,
          .concurrent = task.concurrent,
          .deadline = task.deadline};
}

// A warden that goes away takes what it had begun with it: the next one gets it from the start,
// where it can be begun again. More than once, because a dying warden's sockets close one after
// the other, and the last of them still takes a request.
template <typename Body>
Result<Outcome> with_warden(WardenAccess& access, const RunListener& run, const Body& body) {
  constexpr int kMostAttempts = 5;
  for (int attempt = 1;; ++attempt) {
    Result<Outcome> outcome = body();
    if (outcome || outcome.error().code != Code::kUnavailable) return outcome;
    access.drop();
    if (!run.may_begin_again() || attempt == kMostAttempts) return outcome;
    std::this_thread::sleep_for(attempt * std::chrono::milliseconds(20));
  }
}

}  // namespace

Status LocalRunner::check_labels(const Labels& wanted, Code code) const {
  if (has_labels(labels_, wanted)) return {};
  return fail(code, "labels: this machine has not all of " + to_string(wanted));
}

Status LocalRunner::submit(Task task) {
  // Checked when it was taken: what comes back from before a restart finds another machine.
  TRY(check_labels(task.labels, Code::kInvalid));
  const auto shared = std::make_shared<const Task>(std::move(task));
  Job job = job_of(*shared);
  job.run = [this, shared](WardenAccess& access) { run_all(*shared, access); };
  job.give_up = [shared](const Error& error) {
    for (const auto& run : shared->runs) run->on_give_up(error);
  };
  return dispatcher_.submit(std::move(job));
}

Status LocalRunner::check(const Task& task, std::size_t count) const {
  TRY(check_labels(task.labels, Code::kUnavailable));
  return dispatcher_.check(job_of(task), count);
}

Status LocalRunner::unpack(Unpacking unpacking) {
  TRY(check_labels(unpacking.labels, Code::kUnavailable));
  const auto shared = std::make_shared<const Unpacking>(std::move(unpacking));
  Job job{.caller = shared->caller,
          .memory = Limits().memory,
          .cpus_milli = Limits().cpus_milli,
          .deadline = shared->deadline};
  job.run = [shared](WardenAccess& access) {
    shared->done([&]() -> Result<std::vector<File>> {
      TRY_ASSIGN(warden::Client* const client, access.client());
      auto files = engine::unpack(*client, shared->archive);
      if (!files && files.error().code == Code::kUnavailable) access.drop();
      return files;
    }());
  };
  job.give_up = [shared](const Error& error) { shared->done(std::unexpected(error)); };
  return dispatcher_.submit(std::move(job));
}

bool LocalRunner::has(const runtime::Manifest& language) const {
  return runtime::detect(language).has_value();
}

RunnerState LocalRunner::state() const {
  const DispatcherState state = dispatcher_.state();
  return {.waiting = state.waiting, .running = state.running, .capacity = state.threads};
}

std::vector<Gauge> LocalRunner::gauges() const {
  const std::uint64_t bytes = reuse_.cache == nullptr ? 0 : reuse_.cache->bytes();
  return {{.name = "belljar_compile_cache_bytes", .value = static_cast<double>(bytes)}};
}

// What one caller has compiled is never another's, keys of one person included.
Reuse LocalRunner::reuse_for(const Task& task) const {
  Reuse reuse = reuse_;
  reuse.tenant = task.caller;
  return reuse;
}

// Compiled once, for the first that has not been cancelled.
void LocalRunner::run_all(const Task& task, WardenAccess& access) const {
  std::optional<Prepared> prepared;
  for (const auto& each : task.runs) {
    RunListener& run = *each;
    if (!run.on_start(0)) continue;
    run.on_end(with_warden(access, run, [&]() -> Result<Outcome> {
      TRY_ASSIGN(warden::Client* const client, access.client());
      TRY_ASSIGN(const Fd control, run.open_control());
      Engine engine(*client, catalog_, *task.policy, reuse_for(task));
      Input input = run.input();
      input.control_fd = control.get();
      if (!prepared) {
        TRY_ASSIGN(prepared, engine.prepare(*task.submission, input, run));
      }
      if (!prepared->runnable) {
        Outcome compiled = prepared->outcome;
        // Cancelled was this run alone; the next one compiles again.
        if (compiled.status == RunStatus::kCancelled) prepared.reset();
        return compiled;
      }
      return engine.run(*prepared, input, run);
    }));
  }
}

}  // namespace belljar::engine
