// SessionService: the sessions of this service: who has which, what is executed in them and when
// they end. A session belongs to the caller who made it; nobody else is told that it exists.
//
// Sessions outlive a gateway that is killed: the warden keeps them for the next one. They end with
// the warden, and with a service that is stopped. Each is in the ledger, as is what is executed in
// it: as runs of that session, found again also after it has ended.
//
// Every member may be called from any thread; what is executed in a session comes one after the
// other, in the order it was asked for.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/caller.h"
#include "api/live_run.h"
#include "api/metrics.h"
#include "api/run_service.h"
#include "api/session_request.h"
#include "api/settings.h"
#include "engine/dispatcher.h"
#include "engine/session.h"

namespace belljar::api {

class SessionService {
 public:
  // All borrowed; they outlive it. `memory`: that all sessions may have together.
  SessionService(const Settings& settings,
                 const runtime::Catalog& catalog,
                 ledger::Store& store,
                 Journal& journal,
                 engine::Dispatcher& dispatcher,
                 Metrics& metrics,
                 const RunService& runs,
                 std::uint64_t memory);
  ~SessionService();
  SessionService(const SessionService&) = delete;
  SessionService& operator=(const SessionService&) = delete;

  // Sessions end, and none by itself from here on; before the dispatcher goes away.
  void close();

  // What an earlier gateway of this service has left, before requests are taken.
  void adopt(const engine::WardenAccess::Connect& connect);
  // After that: what the ledger has of sessions that were not found again, and of what was executed
  // then, is lost. No execution is begun again.
  Status recover();
  // What is in the ledger of a session that nobody has any more ends as lost.
  Status end_abandoned(const ledger::Run& each);

  // Called once, from any thread, with the session as JSON. No lock is held meanwhile.
  using Answer = std::function<void(Result<std::string>)>;
  struct Created {
    std::string text;       // the session as JSON
    bool replayed = false;  // the same request came before: it is that one's, as it is now
  };
  using CreateAnswer = std::function<void(Result<Created>)>;
  void create(const Caller& caller,
              SessionRequest request,
              const std::string& idempotency_key,
              const CreateAnswer& answer);
  // kNotFound also for somebody else's.
  Result<std::string> session_json(const Caller& caller, const std::string& id);
  std::string list_json(const Caller& caller);
  // Ends it; answers when no process of it is left.
  void quit(const Caller& caller, const std::string& id, const Answer& answer);

  // Screened, counted and recorded as a run is. kConflict when the session has ended; a request
  // that is repeated is answered with the execution of the first all the same.
  struct ExecuteOptions {
    std::string idempotency_key{};
    bool answered_at_end = false;  // nothing is said of it before it is over
  };
  Result<Submitted> execute(const Caller& caller,
                            const std::string& id,
                            ExecutionRequest request,
                            const ExecuteOptions& options);
  // The caller's, newest first, with how each ended: those that the ledger has.
  Result<std::string> executions_json(const Caller& caller,
                                      const std::string& id,
                                      std::optional<ledger::State> state,
                                      std::string_view cursor,
                                      int limit);
  // One that is over, and not in memory any more, has only its end.
  Result<std::shared_ptr<LiveRun>> execution(const Caller& caller,
                                             const std::string& id,
                                             const std::string& execution);
  // Its client is gone: nobody else waits for it. It does not begin any more, or is interrupted
  // until it ends.
  void abandon(const Caller& caller, const std::string& id, LiveRun& execution);
  // What is executed now gets SIGINT. kConflict when nothing is.
  Status interrupt(const Caller& caller, const std::string& id);
  // The same, if that is this execution.
  Status interrupt(const Caller& caller, const std::string& id, const LiveRun& execution);

  // From here on nothing is executed until resume(), and no idle time is counted. kConflict when
  // something is executed or waits. Twice is as once.
  Result<std::string> pause(const Caller& caller, const std::string& id);
  Result<std::string> resume(const Caller& caller, const std::string& id);

  // What is done with the files below /box, once what was asked for before has ended.
  enum class FileAction : std::uint8_t { kList, kRead, kWrite, kRemove };
  struct FileWish {
    FileAction action{};
    std::string path, content;
  };
  // Answers with JSON, kRead with the file.
  void use_files(const Caller& caller, const std::string& id, FileWish wish, const Answer& answer);

  enum class ContextChange : std::uint8_t { kCreate, kRestart, kRemove };
  // `cwd`, of one that is created: where its code begins; empty: where the session's does.
  void change_context(const Caller& caller,
                      const std::string& id,
                      ContextChange change,
                      const std::string& context,
                      const Answer& answer,
                      const std::string& cwd = {});

  [[nodiscard]] std::size_t count();
  // Whether there is one of this id and it has not ended.
  bool is_live(const Caller& caller, const std::string& id);

 private:
  struct LiveSession;
  struct Execution;
  using Shared = std::shared_ptr<LiveSession>;

  // A session that nobody has yet, as one comes that asks for nothing special.
  struct Spare {
    std::string language;
    std::unique_ptr<engine::Session> session;
  };
  [[nodiscard]] bool asks_for_nothing(const SessionRequest& request) const;
  std::unique_ptr<engine::Session> take_spare(const std::string& language);
  void make_spare(const Shared& like, const Submission& submission);
  void forget_spares(Nanoseconds now);

  Result<engine::Plan> plan_session(const Policy& policy, Submission& submission) const;
  Status may_grow(const LiveSession& live);
  Result<Shared> find(const Caller& caller, const std::string& id);
  Status add(const Shared& live);
  Status read_note(LiveSession& live, const std::string& note) const;
  void begin(LiveSession& live, const SessionRequest& request, engine::WardenAccess& access);
  void put(const Shared& live,
           std::function<void(engine::WardenAccess&)> work,
           const std::function<void(const Error&)>& give_up);
  void pump(const Shared& live);
  void work_off(const Shared& live, engine::WardenAccess& access);
  void give_up_first(LiveSession& live, const Error& error);
  void release(LiveSession& live);
  void perform(LiveSession& live, Execution& execution);
  Status take(LiveSession& live, const Execution& execution, bool refused);
  static void withdraw(LiveSession& live, const Execution& execution, bool refused);
  Result<screen::Verdict> screen(const LiveSession& live, const ExecutionRequest& request) const;
  void reject(Execution& execution, const screen::Verdict& verdict);
  void give_up(Execution& execution, const Error& error);
  void finish(Execution& execution, ledger::Ending ending, std::optional<Error> error);
  Result<ledger::Run> recorded(const Caller& caller, const std::string& id);
  ledger::Run record_of(const LiveSession& live) const;
  void record(LiveSession& live, bool is_new);
  Result<std::optional<Created>> promise(LiveSession& live,
                                         const SessionRequest& request,
                                         const std::string& idempotency_key);
  void withdraw(LiveSession& live, const Error& error);
  // Why a session ended, for programs and for people.
  struct End {
    std::string by;
    std::string reason;
  };
  void end(LiveSession& live, End why, std::function<void()> gone);
  void watch(const std::stop_token& stop);

  const Settings& settings_;
  const runtime::Catalog& catalog_;
  ledger::Store& store_;
  Journal& journal_;
  engine::Dispatcher& dispatcher_;
  Metrics& metrics_;
  const RunService& runs_;
  const std::uint64_t memory_;

  std::mutex mutex_;
  std::map<std::string, Shared> sessions_;
  std::vector<Spare> spares_;
  std::size_t spares_coming_ = 0;
  Nanoseconds spare_wanted_{};  // when somebody could have used one last
  bool closed_ = false;
  std::jthread watcher_;  // last: it uses what stands above
};

}  // namespace belljar::api
