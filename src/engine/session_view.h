// SessionView: one session as others see it, and the JSON of it in which processes of Belljar tell
// each other of sessions.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/outcome.h"
#include "model/policy.h"

namespace belljar::engine {

// Which session, and who holds it: a worker's name in a fleet, else empty.
struct SessionAddress {
  std::string id;
  std::string place;
};

enum class SessionState : std::uint8_t { kStarting, kIdle, kRunning, kPaused, kEnded };
std::string_view to_string(SessionState state);  // "starting", …

struct SessionView {
  SessionAddress address;
  std::string caller;
  std::string policy;    // by name
  std::string language;  // a runtime's name
  std::string note;      // its owner's
  std::int64_t created_ms = 0;
  Nanoseconds ttl{}, idle{};
  Limits limits;
  SessionState state = SessionState::kStarting;
  std::uint64_t executions = 0;
  std::vector<std::string> contexts;  // sorted
  // Once it has begun, and until it has ended.
  bool is_up = false;
  std::string version;
  Start start = Start::kCold;
  WallSet walls;
  // Once it has ended: why, for programs and for people.
  std::string ended_by;
  std::string reason;
};

// Its limits exactly.
boost::json::object to_members(const SessionView& view);
// kInvalid names the member.
Result<SessionView> read_session_view(const boost::json::value& value);

boost::json::object to_members(const Limits& limits);
Result<Limits> read_exact_limits(const boost::json::value* value);

}  // namespace belljar::engine
