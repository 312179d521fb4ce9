// SessionHost: who holds the cells of sessions for the service: this process (LocalSessionHost), or
// the workers of a fleet. Whoever asks does not know which.
//
// Every member may be called from any thread. What is asked of one session is done one after the
// other, in the order in which it was asked.
//
// Errors that all of them have: kNotFound where the session is not held any more, kUnavailable
// where its host cannot be asked now, kConflict where the session has ended or is not in the state
// for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/runner.h"
#include "engine/session.h"
#include "engine/session_plan.h"
#include "engine/session_view.h"

namespace belljar::engine {

// A session to be made.
struct SessionOrder {
  SessionAddress address;          // its place is what place_for() answered
  std::string caller;              // whose turn it takes, and whose room
  const Policy* policy = nullptr;  // outlives the host
  Submission submission;           // language, files for /box, environment, limits
  // What that comes to.
  std::shared_ptr<const PlannedSession> planned;
  bool plain = false;          // it asks for nothing special: one that is ready would do
  std::size_t concurrent = 0;  // executions of this caller's at once; 0: no limit of its own
  std::int64_t created_ms = 0;
  Nanoseconds ttl{}, idle{};
  std::string note;  // the owner's, told back with it
};
// As it is before it has begun.
SessionView view_of(const SessionOrder& order);

struct ExecutionOrder {
  SessionAddress session;
  std::string id;
  std::string context;
  std::string code;
  bool marshalled = false;
  std::vector<std::string> env;
  LimitOverrides limits;
  std::string note;       // the owner's, told back with its end
  bool streamed = false;  // what it says may be wanted while it is executed
  bool refused = false;   // everything is checked, and nothing is executed
};

// How an execution ended.
struct ExecutionEnd {
  std::string id;
  std::string session;
  std::string context;
  std::string note;
  Result<Execution> made = Execution();  // or what Belljar could not do
  bool started = false;                  // false: nothing of it was executed
  std::int64_t started_ms = 0;           // Unix time
  std::int64_t ended_ms = 0;
  Nanoseconds queued{}, took{};
};

// One execution, as its host tells of it: calls come one after another, from any thread.
class ExecutionListener : public SessionObserver {
 public:
  virtual void on_start() = 0;
  // The last call.
  virtual void on_end(ExecutionEnd end) = 0;
};

// What is told of sessions without being asked for. False: it could not be taken now, and may be
// told again.
class SessionOwner {
 public:
  SessionOwner() = default;
  virtual ~SessionOwner() = default;
  SessionOwner(const SessionOwner&) = delete;
  SessionOwner& operator=(const SessionOwner&) = delete;

  // Once it was created; its view says how and why.
  virtual bool on_session_end(const SessionView& session) = 0;
  // Of an execution that an earlier or another process asked for.
  virtual bool on_execution_end(ExecutionEnd end) = 0;
  // What look_after() was told of ends no more. `execution` empty: the session itself.
  virtual bool on_lost(const SessionAddress& session,
                       const std::string& execution,
                       const std::string& reason) = 0;
};

enum class FileAction : std::uint8_t { kList, kRead, kWrite, kRemove };
struct FileWish {
  FileAction action{};
  std::string path, content;
};
struct FilesAnswer {
  Session::FileList list;  // kList
  std::string content;     // kRead
};

enum class ContextChange : std::uint8_t { kCreate, kRestart, kRemove };

class SessionHost {
 public:
  // Called once, from any thread; no lock is held meanwhile.
  using Answer = std::function<void(Result<SessionView>)>;
  using AnswerFiles = std::function<void(Result<FilesAnswer>)>;

  SessionHost() = default;
  virtual ~SessionHost() = default;
  SessionHost(const SessionHost&) = delete;
  SessionHost& operator=(const SessionHost&) = delete;

  // Before anything else is asked. Borrowed; until close() has returned.
  virtual void serve(SessionOwner& owner) = 0;
  // Sessions of this process end. Where others hold them they go on, and nothing more is told.
  virtual void close() = 0;

  // Whether its sessions stay where they are when this process ends, and others can ask for them.
  [[nodiscard]] virtual bool is_shared() const = 0;
  // Where a new session of this language and caller would be. kExhausted, kUnavailable: nowhere.
  virtual Result<std::string> place_for(const std::string& language, const std::string& caller) = 0;
  // Answered when its interpreter is up.
  virtual void create(SessionOrder order, const Answer& answer) = 0;

  virtual Result<SessionView> find(const SessionAddress& session) = 0;
  // The caller's, by id.
  virtual Result<std::vector<SessionView>> list(const std::string& caller) = 0;
  [[nodiscard]] virtual std::size_t count() = 0;

  // Checked, then accept() is called, and where that succeeds it waits for its turn. After an error
  // of accept() there is nothing of it; another error may also come after accept().
  virtual Status execute(ExecutionOrder order,
                         std::shared_ptr<ExecutionListener> listener,
                         const std::function<Status()>& accept) = 0;
  // SIGINT for what is executed now, or only for that execution. kConflict where it is not.
  virtual Status interrupt(const SessionAddress& session, const std::string& execution) = 0;
  // It does not begin any more, or is interrupted until it ends.
  virtual void cancel(const SessionAddress& session, const std::string& execution) = 0;
  // What an execution of another process says, as Runner::follow().
  virtual std::unique_ptr<Following> follow(const std::string& execution,
                                            ExecutionListener& listener) = 0;

  // While it is paused nothing is executed, and no idle time is counted.
  virtual Result<SessionView> set_paused(const SessionAddress& session, bool paused) = 0;
  // Paths are checked here.
  virtual void use_files(const SessionAddress& session,
                         FileWish wish,
                         const AnswerFiles& answer) = 0;
  // `cwd`: as of Session::change_context().
  virtual void change_context(const SessionAddress& session,
                              ContextChange change,
                              const std::string& context,
                              const std::string& cwd,
                              const Answer& answer) = 0;
  // Answered when no process of it is left.
  virtual void quit(const SessionAddress& session, const Answer& answer) = 0;

  // What an earlier process has left unfinished in the ledger: the owner is told when it cannot end
  // any more. `execution` empty: the session itself.
  virtual void look_after(const SessionAddress& session, const std::string& execution) = 0;
};

}  // namespace belljar::engine
