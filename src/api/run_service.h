// RunService: the way of a submission through the service: checked, recorded, queued, run,
// recorded, told. Handlers of every dialect come through here.
//
// Every member may be called from any thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/caller.h"
#include "api/followed_run.h"
#include "api/journal.h"
#include "api/live_run.h"
#include "api/metrics.h"
#include "api/run_request.h"
#include "api/settings.h"
#include "engine/plan.h"
#include "engine/runner.h"
#include "ledger/store.h"
#include "screen/screener.h"

namespace belljar::api {

// What stdin a run gets.
struct RunInput {
  enum class Kind : std::uint8_t { kBytes, kPipe, kTerminal };
  Kind kind = Kind::kBytes;
  std::shared_ptr<Fd> pipe;  // kPipe, kTerminal: the read end of what the client types into
};

struct SubmitOptions {
  std::string idempotency_key;
  std::string batch;
  RunInput input;
  Nanoseconds patience{};        // longest time in the queue; zero: the service's
  std::size_t concurrent = 0;    // of this caller's at once; 0: the key's or the service's
  bool answered_at_end = false;  // nothing is said of the run before it is over
  bool keep_outcome = false;     // for LiveRun::take_outcome()
};

// What a submission came to.
struct Submitted {
  std::shared_ptr<LiveRun> live;  // nothing where the run is only in the ledger: a replay
  std::string id;
  bool replayed = false;
};

class RunService {
 public:
  // All borrowed; they outlive it.
  RunService(const Settings& settings,
             const runtime::Catalog& catalog,
             ledger::Store& store,
             Journal& journal,
             engine::Runner& runner,
             Metrics& metrics);

  // Recorded when it answers, or, where that is all that is said of it, when it is over: accepted
  // is what has been acknowledged. Runs as soon as it is its turn.
  Result<Submitted> submit(const Caller& caller, RunRequest request, const SubmitOptions& options);

  // Many runs under one id, recorded together or not at all.
  struct Batch {
    struct Entry {
      std::string id;       // empty: this one could not be taken,
      std::string refusal;  // and that is why
    };
    std::string id;
    std::vector<Entry> runs;  // in the order of the request
    bool replayed = false;
  };
  // Several programs, each run on its own.
  Result<Batch> submit_programs(const Caller& caller,
                                std::vector<RunRequest> programs,
                                SubmitOptions options);
  // One program over many inputs: compiled once, then run for each in turn, each a run of its own.
  struct BatchInput {
    std::string input;
    std::optional<std::string> expected;
  };
  Result<Batch> submit_inputs(const Caller& caller,
                              const RunRequest& program,
                              std::vector<BatchInput> inputs,
                              SubmitOptions options);

  // Unpacks an archive in a cell, in turn like a run; `done` is called from another thread.
  Status unpack(const Caller& caller,
                std::string archive,
                const Labels& labels,
                const std::function<void(Result<std::vector<File>>)>& done);

  // A run of the caller's, from the ledger. kNotFound also for somebody else's.
  Result<ledger::Run> find(const Caller& caller, const std::string& id);
  // The same as JSON.
  Result<std::string> run_json(const Caller& caller, const std::string& id);
  // A run of the caller's, as it happens; in a fleet also one that another gateway has. kNotFound
  // also where it ended too long ago for that.
  Result<std::shared_ptr<LiveRun>> live(const Caller& caller, const std::string& id);
  // Ends it if it has not ended. kDenied when it has.
  Status cancel(const Caller& caller, const std::string& id);

  // After a start: what was accepted and not finished is run again, or ends as lost.
  Status recover();
  // Until it is stopped: what other gateways left behind is run again here, or ends as lost.
  // `session` is given what was of a session, to end it.
  void adopt_for_ever(const std::stop_token& stop,
                      const std::function<void(const ledger::Run&)>& session);

  // By the rules of this name; empty: the service's. "none" finds nothing.
  [[nodiscard]] Result<screen::Verdict> screen(const std::string& rules,
                                               std::string_view language,
                                               std::span<const File> files,
                                               std::string_view entry) const;

  // Names of policies that requests may choose.
  Result<const Policy*> policy(const std::string& name) const;

 private:
  struct Work;

  // What can be said before anything is recorded.
  struct Checked {
    std::shared_ptr<Work> work;
    engine::Plan plan;
    screen::Verdict verdict;
  };
  Result<Checked> check(const Caller& caller, RunRequest request, const SubmitOptions& options);
  Result<ledger::Accepted> record_all(const Caller& caller,
                                      std::span<const std::shared_ptr<Work>> works,
                                      const std::string& idempotency_key);
  Result<Batch> replay(const Caller& caller, const std::string& first, Batch batch);
  void begin(Work& work);
  std::shared_ptr<LiveRun> new_live(const ledger::Run& run) const;
  Result<std::shared_ptr<LiveRun>> live_here(const Caller& caller, const std::string& id);
  Result<std::shared_ptr<LiveRun>> follow(const ledger::Run& run);
  void follow_for_ever(const std::stop_token& stop);
  void forget(const std::string& id);
  engine::Task task_for(const Caller& caller,
                        const engine::Plan& plan,
                        const SubmitOptions& options,
                        std::vector<std::shared_ptr<Work>> works) const;
  void reject(Work& work, const screen::Verdict& verdict);
  bool start(Work& work, std::uint64_t attempt);
  void finish(Work& work, Outcome outcome);
  void give_up(Work& work, const Error& error);
  void fail_run(Work& work, const Error& error);
  void close(Work& work,
             const ledger::Ending& ending,
             std::optional<Error> error,
             std::shared_ptr<const Outcome> outcome = nullptr);
  void keep(const std::shared_ptr<LiveRun>& live);
  void forget_old();
  void run_again(const ledger::Run& found);
  void adopt_abandoned(const std::function<void(const ledger::Run&)>& session);

  const Settings& settings_;
  const runtime::Catalog& catalog_;
  ledger::Store& store_;
  Journal& journal_;
  engine::Runner& runner_;
  Metrics& metrics_;

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<LiveRun>> live_;
  std::deque<std::shared_ptr<LiveRun>> ended_;  // oldest first, kept for streams that come late
  std::size_t ended_bytes_ = 0;
  // Runs that others have, and those that others had; by id and whether they are ours now.
  std::map<std::pair<std::string, bool>, std::shared_ptr<FollowedRun>> followed_;
  // Last: it uses what stands above.
  std::jthread follower_;
};

// What screening found, as an outcome tells it; empty where nothing was found.
std::string findings_json(const screen::Verdict& verdict);

}  // namespace belljar::api
