// The names that gateways and workers meet under about sessions.
#pragma once

#include <chrono>
#include <string>

#include "fleet/subjects.h"

namespace belljar::fleet {

// What stands for the gateway in what is told of sessions: every gateway hears it.
inline constexpr const char* kAllGateways = "sessions";
inline constexpr const char* kSessionEnds = "ends-sessions";  // its consumer, which all share

// Questions to the worker that holds a session.
inline std::string session_subject(const std::string& worker) {
  return "belljar.session." + worker;
}

// What a worker, or kAnyWorker, tells of sessions. "told": of all that it has, under the id
// kItsSessions, or of an execution that nobody wants a stream of; "event" of an execution; "end" of
// that or of a session. read_told_subject() reads it.
inline constexpr const char* kItsSessions = "state";
inline std::string told_of_session(const char* kind,
                                   const std::string& worker,
                                   const std::string& id) {
  return told_subject(kAllGateways, kind, worker, id);
}
// The answer to a question of this name.
inline std::string answer_subject(const std::string& gateway,
                                  const std::string& worker,
                                  const std::string& question) {
  return told_subject(gateway + "-sessions", "told", worker, question);
}

// The object with one that is too large for a message.
inline std::string answer_object(const std::string& question) {
  return "answer." + question;
}

inline constexpr std::chrono::milliseconds kSessionsStateEvery{500};
// A question that was not answered within this is asked again.
inline constexpr std::chrono::milliseconds kAskAgainAfter{1000};
// A worker that has not been heard of for so long, by a gateway that NATS has served for as long,
// has taken its sessions with it.
inline constexpr std::chrono::seconds kSessionsGone{10};

}  // namespace belljar::fleet
