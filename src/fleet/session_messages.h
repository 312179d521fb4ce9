// What gateways and workers of a fleet say to each other of sessions, as values and as the JSON of
// them. Gateways believe the workers; neither takes anything else for granted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/session_host.h"

namespace belljar::fleet {

// What a gateway wants of the worker that holds a session.
struct SessionQuestion {
  enum class Kind : std::uint8_t {
    kCreate,
    kFind,
    kList,  // the caller's
    kExecute,
    kInterrupt,  // `execution`, or whatever is executed
    kCancel,     // `execution`
    kPause,
    kResume,
    kFiles,
    kContext,
    kQuit,
    kIsUnderWay,  // `execution`
  };
  Kind kind = Kind::kFind;
  std::string name;     // asked again under the same name it is not done again
  std::string gateway;  // whom the answer goes to
  std::string session;  // its id
  std::string caller;   // kCreate, kList
  std::string execution;
  // kCreate: but for its policy and what was planned, which the worker has for itself.
  engine::SessionOrder order;
  std::string policy;            // by name
  engine::ExecutionOrder asked;  // kExecute
  engine::FileWish files;        // kFiles
  // kContext
  engine::ContextChange change{};
  std::string context, cwd;
};
std::string to_json(const SessionQuestion& question);
Result<SessionQuestion> read_session_question(std::string_view text);

// As far as the question asks for it.
struct SessionReply {
  std::vector<engine::SessionView> sessions;  // one, or for kList all of them
  engine::FilesAnswer files;
  bool is_under_way = false;
};
std::string to_json(const Result<SessionReply>& reply);
// The reply's own error, or kInvalid for what is none.
Result<SessionReply> read_session_reply(std::string_view text);

// What an execution does meanwhile.
struct SessionHappening {
  enum class Kind : std::uint8_t { kBegun, kOut, kErr, kResult };
  Kind kind = Kind::kBegun;
  std::string bytes;
};
std::string to_json(const SessionHappening& happening);
Result<SessionHappening> read_session_happening(std::string_view text);

// How an execution ended, and how a session did.
std::string to_json(const engine::ExecutionEnd& end);
Result<engine::ExecutionEnd> read_execution_end(std::string_view text);
std::string to_json(const engine::SessionView& session);
Result<engine::SessionView> read_session(std::string_view text);

// What a worker says of its sessions, again and again.
struct SessionsState {
  struct Caller {
    std::string id;
    std::uint64_t sessions = 0;
  };
  std::string worker;
  std::vector<std::string> languages;  // names of runtimes that it has sessions of
  std::uint64_t most = 0;              // at once
  std::vector<Caller> callers;         // those that have sessions
  bool draining = false;               // takes nothing more

  [[nodiscard]] std::uint64_t count() const {
    std::uint64_t all = 0;
    for (const Caller& each : callers) all += each.sessions;
    return all;
  }
};
std::string to_json(const SessionsState& state);
Result<SessionsState> read_sessions_state(std::string_view text);

}  // namespace belljar::fleet
