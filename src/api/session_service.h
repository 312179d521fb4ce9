// SessionService: the way of sessions through the service: whose they are, what is executed in
// them, and what the ledger has of both. A session belongs to the caller who made it; nobody else
// is told that it exists. Who holds its cell is the host's to know.
//
// Each session is in the ledger, as is what is executed in it: as runs of that session, found again
// also after it has ended.
//
// Every member may be called from any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "api/caller.h"
#include "api/execution_follower.h"
#include "api/execution_shelf.h"
#include "api/live_run.h"
#include "api/metrics.h"
#include "api/run_service.h"
#include "api/session_request.h"
#include "api/settings.h"
#include "engine/session_host.h"

namespace belljar::api {

class SessionService : private engine::SessionOwner {
 public:
  // All borrowed; they outlive it. The host is closed before it ends.
  SessionService(const Settings& settings,
                 const runtime::Catalog& catalog,
                 ledger::Store& store,
                 Journal& journal,
                 engine::SessionHost& host,
                 Metrics& metrics,
                 const RunService& runs);

  // A session that an earlier gateway of this service has left, before requests are taken; nothing
  // for one that did not survive.
  void adopt(const engine::SessionView* session);
  // After that: what the ledger has of sessions that were not found again, and of what was executed
  // then, ends as lost. No execution is begun again.
  Status recover();
  // The same of what is in the ledger of a session that another gateway has left.
  Status look_after(const ledger::Run& each);

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
  Result<std::string> list_json(const Caller& caller);
  // Ends it; answers when no process of it is left.
  void quit(const Caller& caller, const std::string& id, const Answer& answer);

  // Screened, counted and recorded as a run is. kConflict when the session has ended; a request
  // that is repeated is answered with the execution of the first all the same.
  struct ExecuteOptions {
    std::string idempotency_key{};
    bool answered_at_end = false;  // nothing is said of its id before it is over
    bool is_watched = false;       // what it says is wanted meanwhile all the same
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
  using FileAction = engine::FileAction;
  using FileWish = engine::FileWish;
  // Answers with JSON, kRead with the file.
  void use_files(const Caller& caller, const std::string& id, FileWish wish, const Answer& answer);

  using ContextChange = engine::ContextChange;
  // `cwd`, of one that is created: where its code begins; empty: where the session's does.
  void change_context(const Caller& caller,
                      const std::string& id,
                      ContextChange change,
                      const std::string& context,
                      const Answer& answer,
                      const std::string& cwd = {});

  [[nodiscard]] std::size_t count() { return host_.count(); }
  // Whether there is one of this id and it has not ended.
  bool is_live(const Caller& caller, const std::string& id);

 private:
  class Work;  // one execution
  // What is remembered of a session.
  struct Known {
    engine::SessionAddress address;
    std::string caller;
    // Only of one that others hold: the ledger has its end, and who held it may not be there.
    bool ended = false;
    // Of these nothing is known of a session of another gateway's until its host was asked.
    std::string language, policy, screening;
  };

  bool on_session_end(const engine::SessionView& session) override;
  bool on_execution_end(engine::ExecutionEnd end) override;
  bool on_lost(const engine::SessionAddress& session,
               const std::string& execution,
               const std::string& reason) override;

  Result<engine::SessionOrder> order_for(const Caller& caller, SessionRequest& request) const;
  [[nodiscard]] bool asks_for_nothing(const SessionRequest& request) const;
  Result<std::optional<Created>> promise(const Caller& caller,
                                         const SessionRequest& request,
                                         const std::string& idempotency_key,
                                         const engine::SessionOrder& order);
  void created(const engine::SessionView& session);
  void withdraw(engine::SessionView session, const Error& error);
  void know(const engine::SessionView& session);
  Result<Known> find(const Caller& caller, const std::string& id);
  Result<Known> find_open(const Caller& caller, const std::string& id);
  Result<Known> find_whole(const Caller& caller, const std::string& id);
  void has_ended(const std::string& id);
  Error why_not(const std::string& id, Error error);
  Result<ledger::Run> recorded(const Caller& caller, const std::string& id);
  std::shared_ptr<Journal::Entry> take_entry(const std::string& session);

  Result<screen::Verdict> screen(const Known& session, const ExecutionRequest& request) const;
  Result<std::string> file_name(const std::string& language) const;
  Status accept(const std::shared_ptr<Work>& work,
                const Caller& caller,
                const ExecuteOptions& options,
                std::optional<std::string>& replayed);
  void withdraw(Work& work);
  void reject(Work& work, const screen::Verdict& verdict);
  void finish(Work& work, const engine::ExecutionEnd& end);
  void close(Work& work, ledger::Ending ending, std::optional<Error> error);

  const Settings& settings_;
  const runtime::Catalog& catalog_;
  ledger::Store& store_;
  Journal& journal_;
  engine::SessionHost& host_;
  Metrics& metrics_;
  const RunService& runs_;

  ExecutionShelf shelf_;
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;
  mutable std::map<std::string, std::string> file_names_;  // by language
  // What the ledger has, or will have, of those that this process began or adopted.
  std::map<std::string, std::shared_ptr<Journal::Entry>> entries_;
  ExecutionFollower follower_;  // last: it uses what stands above
};

}  // namespace belljar::api
