// SessionWorker: what a worker of a fleet is to sessions: it has them held on this machine, answers
// what gateways ask of them, and tells how executions and sessions end. It knows no ledger, and not
// whose a session is but by name: gateways check that.
//
// Every member may be called from any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/local_session_host.h"
#include "fleet/connection.h"
#include "fleet/heartbeat.h"
#include "fleet/jetstream.h"
#include "fleet/keyed_threads.h"
#include "fleet/object_bucket.h"
#include "fleet/session_messages.h"
#include "fleet/session_subjects.h"

namespace belljar::fleet {

struct SessionWorkerSettings {
  std::string id;                      // the worker's
  std::vector<std::string> languages;  // names of runtimes that it has sessions of
  std::size_t most = 100;              // sessions at once
};

class SessionWorker : private engine::SessionOwner {
 public:
  // All borrowed; they outlive it. Takes sessions when it answers.
  static Result<std::unique_ptr<SessionWorker>> open(std::unique_ptr<Connection> connection,
                                                     engine::LocalSessionHost& host,
                                                     const runtime::Catalog& catalog,
                                                     SessionWorkerSettings settings);
  // After drain().
  ~SessionWorker() override;

  // Takes no new session, and nothing to execute.
  void begin_drain();
  // Then: what is executed is finished, or cut off when the time is over; sessions end, and that is
  // told. False where something of this took too long.
  bool drain(Nanoseconds patience);

 private:
  class Assignment;
  struct Told {
    std::string id;
    std::string text;
    bool in_bucket = false;
  };
  SessionWorker(std::unique_ptr<Connection> connection,
                engine::LocalSessionHost& host,
                const runtime::Catalog& catalog,
                SessionWorkerSettings settings);
  Status begin();

  bool on_session_end(const engine::SessionView& session) override;
  bool on_execution_end(engine::ExecutionEnd /*end*/) override { return true; }
  bool on_lost(const engine::SessionAddress& /*session*/,
               const std::string& /*execution*/,
               const std::string& /*reason*/) override {
    return true;
  }

  void take(const Message& message);
  void handle(SessionQuestion question);
  void create(const SessionQuestion& question, const engine::SessionHost::Answer& answer);
  Status execute(const SessionQuestion& question);
  Result<SessionReply> answer_now(const SessionQuestion& question);
  void answer(const SessionQuestion& question, const Result<SessionReply>& reply);
  void send_answer(const std::string& gateway, const std::string& name, const std::string& text);
  void over(const std::string& execution, const engine::ExecutionEnd& end);
  void tell(std::string id, std::string text);
  void tell_ends(const std::stop_token& stop);
  void say_state();

  const std::unique_ptr<Connection> connection_;
  engine::LocalSessionHost& host_;
  const runtime::Catalog& catalog_;
  const SessionWorkerSettings settings_;
  JetStream stream_;
  ObjectBucket objects_;
  std::mutex mutex_;
  std::condition_variable_any changed_;  // an end to tell, or nothing left
  // Questions that came of late, with the answer where there is one.
  std::map<std::string, std::string> answered_;
  std::deque<std::string> answered_order_;
  // Executions that came of late, and whether they are under way.
  std::map<std::string, bool> executions_;
  std::deque<std::string> executions_order_;
  std::deque<Told> ends_;
  std::size_t telling_ = 0;
  std::size_t under_way_ = 0;  // executions
  std::size_t held_ = 0;       // sessions
  bool draining_ = false;
  Heartbeat heartbeat_{kSessionsStateEvery};
  // Last: they use what stands above.
  std::optional<KeyedThreads> threads_;
  std::unique_ptr<Subscription> questions_;
  std::unique_ptr<Subscription> calls_;
  std::vector<std::jthread> workers_;
};

}  // namespace belljar::fleet
