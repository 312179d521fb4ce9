#include "engine/live_session.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/sys.h"
#include "base/text.h"
#include "model/json_members.h"

namespace belljar::engine {

namespace json = boost::json;

std::unexpected<Error> session_has_ended(const std::string& reason) {
  return fail(Code::kConflict, "the session has ended: " + reason);
}

LiveSession::Item LiveSession::take_first() {
  const std::lock_guard lock(mutex);
  if (items.empty()) return {};
  Item item = std::move(items.front());
  items.pop_front();
  return item;
}

Status LiveSession::may_execute_locked() const {
  TRY(may_wait_locked());
  if (!paused) return {};
  return fail(Code::kConflict, "the session is paused: resume it first");
}

Status LiveSession::may_wait_locked() const {
  if (ended) return session_has_ended(why.reason);
  if (items.size() < kMostWaitingInSession) return {};
  return fail(Code::kExhausted, "more than " + std::to_string(kMostWaitingInSession) +
                                    " executions of this session wait");
}

Status LiveSession::check_locked(const ExecutionOrder& order) const {
  TRY(may_execute_locked());
  if (!contexts.contains(order.context)) {
    return fail(Code::kNotFound,
                "context: there is no " + quote(order.context) + " in this session");
  }
  if (order.marshalled && kind != "python") {
    return fail(Code::kInvalid,
                "format: \"marshal\" is of Python, and this session is of " + title);
  }
  return check_within(apply(base.limits, order.limits), rules->maximum);
}

Status LiveSession::check_locked(ContextChange change, const std::string& context) const {
  TRY(may_execute_locked());
  const bool known = contexts.contains(context);
  if (change == ContextChange::kCreate && known) {
    return fail(Code::kConflict, "name: there is a context " + quote(context) + " already");
  }
  if (change == ContextChange::kCreate && contexts.size() >= kMostContexts) {
    return fail(Code::kExhausted,
                "a session has at most " + std::to_string(kMostContexts) + " contexts");
  }
  if (change != ContextChange::kCreate && !known) {
    return fail(Code::kNotFound, "there is no context " + quote(context) + " in this session");
  }
  if (change == ContextChange::kRemove && context == kDefaultContext) {
    return fail(Code::kInvalid, "name: the default context can be restarted, not removed");
  }
  return {};
}

std::shared_ptr<LiveSession::Pending> LiveSession::pending_locked(
    const std::string& execution) const {
  const auto found =
      std::ranges::find_if(pending, [&](const auto& each) { return each->order.id == execution; });
  return found == pending.end() ? nullptr : *found;
}

SessionView LiveSession::view_locked() const {
  if (last) return *last;
  SessionView view = base;
  view.state = ended                ? SessionState::kEnded
               : session == nullptr ? SessionState::kStarting
               : !pending.empty()   ? SessionState::kRunning
               : paused             ? SessionState::kPaused
                                    : SessionState::kIdle;
  view.executions = executions;
  view.contexts = {contexts.begin(), contexts.end()};
  if (session != nullptr) {
    view.is_up = true;
    view.version = session->version();
    view.start = session->start();
    view.walls = session->walls();
  }
  if (ended) {
    view.ended_by = why.by;
    view.reason = why.reason;
  }
  return view;
}

void LiveSession::note_locked() const {
  if (session == nullptr || session->is_over()) return;
  const json::object object{{"session", to_members(view_locked())},
                            {"concurrent", concurrent},
                            {"held", held},
                            {"deadline_ns", deadline.count()},
                            {"paused", paused}};
  // A warden that is gone is told by the next execution.
  (void)session->keep(json::serialize(object)).has_value();
}

Status read_note(const std::string& note, LiveSession& to) {
  boost::system::error_code error;
  const json::value value = json::parse(note, error);
  TRY_ASSIGN(const Members from, Members::of(error ? nullptr : &value, "note"));
  const json::value* const session = from.find("session");
  if (session == nullptr) return wrong_member("session");
  TRY_ASSIGN(to.base, read_session_view(*session));
  to.executions = to.base.executions;
  to.contexts.insert(to.base.contexts.begin(), to.base.contexts.end());
  TRY(from.read("concurrent", to.concurrent));
  TRY(from.read("held", to.held));
  TRY(from.read_ns("deadline_ns", to.deadline));
  TRY(from.read("paused", to.paused));
  to.used = sys::now();
  return {};
}

}  // namespace belljar::engine
