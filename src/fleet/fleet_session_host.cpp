#include "fleet/fleet_session_host.h"

#include <algorithm>
#include <utility>

#include "base/pause.h"
#include "base/sys.h"
#include "base/text.h"
#include "fleet/events_following.h"
#include "fleet/heartbeat.h"
#include "fleet/messages.h"
#include "fleet/session_subjects.h"

namespace belljar::fleet {
namespace {

using Kind = SessionQuestion::Kind;

constexpr Milliseconds kLookEvery{200};
constexpr std::chrono::seconds kLateEndsEvery{1};
constexpr std::chrono::seconds kSoon{5};      // for what a worker answers at once
constexpr std::chrono::seconds kInACell{60};  // for what a cell has to do for it
constexpr std::chrono::seconds kAskAfterEvery{5};
// An end that its worker has told is recorded within this, or it never is.
constexpr std::chrono::seconds kMostMissing{30};
// After a start workers are asked who is there, and waited for.
constexpr Milliseconds kFirstWorkerWithin{500};
constexpr std::size_t kThreads = 8;
constexpr std::size_t kMostOver = 20'000;

SessionQuestion question(Kind kind, const engine::SessionAddress& session) {
  SessionQuestion made;
  made.kind = kind;
  made.session = session.id;
  return made;
}

Result<engine::SessionView> view_in(Result<SessionReply> reply) {
  if (!reply) return std::unexpected(reply.error());
  if (reply->sessions.empty()) return fail(Code::kInternal, "a worker answered without a session");
  return std::move(reply->sessions.front());
}

void tell(engine::ExecutionListener& listener, const SessionHappening& happening) {
  switch (happening.kind) {
    case SessionHappening::Kind::kBegun:
      return listener.on_start();
    case SessionHappening::Kind::kOut:
      return listener.on_output(engine::OutputStream::kOut, happening.bytes);
    case SessionHappening::Kind::kErr:
      return listener.on_output(engine::OutputStream::kErr, happening.bytes);
    case SessionHappening::Kind::kResult:
      return listener.on_result(happening.bytes);
  }
}

}  // namespace

FleetSessionHost::FleetSessionHost(std::unique_ptr<Connection> connection,
                                   SessionGatewaySettings settings)
    : connection_(std::move(connection)),
      settings_(std::move(settings)),
      stream_(*connection_),
      objects_(stream_, kBucket),
      questions_(settings_.id, *connection_, objects_) {}

FleetSessionHost::~FleetSessionHost() {
  close();
}

Result<std::unique_ptr<FleetSessionHost>> FleetSessionHost::open(
    std::unique_ptr<Connection> connection, SessionGatewaySettings settings) {
  auto host = std::unique_ptr<FleetSessionHost>(
      new FleetSessionHost(std::move(connection), std::move(settings)));
  TRY(host->begin());
  return host;
}

Status FleetSessionHost::begin() {
  TRY(look_for_streams(stream_));
  TRY(stream_.make_consumer(kEndsStream, kSessionEnds, told_of_session("end", kAnyWorker, "*"),
                            std::chrono::seconds(30)));
  threads_.emplace(kThreads);
  return questions_.begin();
}

void FleetSessionHost::serve(engine::SessionOwner& owner) {
  owner_ = &owner;
  up_since_ = sys::now();
  // One subscription for all of it, so that it is taken in the order of the telling. Where there is
  // none now nothing is told, and questions are not answered either.
  auto told = connection_->subscribe(told_subject(kAllGateways, "*", kAnyWorker, "*"),
                                     [this](const Message& message) { take_told(message); });
  if (told) told_ = *std::move(told);
  (void)connection_->publish(kRollCall, "").has_value();
  (void)connection_->flush(kSoon).has_value();
  watchers_.emplace_back([this](const std::stop_token& stop) { watch(stop); });
  watchers_.emplace_back([this](const std::stop_token& stop) { take_late_ends(stop); });
  std::unique_lock lock(mutex_);
  known_.wait_for(lock, kFirstWorkerWithin, [this] { return !workers_.empty(); });
}

// Sessions stay where they are, and so does what is executed in them: the next process of this
// gateway, or another one, records its end.
void FleetSessionHost::close() {
  for (std::jthread& each : watchers_) each.request_stop();
  watchers_.clear();
  told_.reset();
  questions_.stop();
  threads_.reset();
}

// ---- Who is there ----------------------------------------------------------------------------

// What was not heard while NATS was away says nothing.
Nanoseconds FleetSessionHost::silence_locked(const std::string& worker) const {
  const auto found = workers_.find(worker);
  const Nanoseconds heard = found == workers_.end() ? Nanoseconds{} : found->second.heard;
  return sys::now() - std::max(heard, up_since_);
}

bool FleetSessionHost::is_gone_locked(const std::string& worker) const {
  return silence_locked(worker) > kSessionsGone;
}

bool FleetSessionHost::is_gone(const std::string& worker) {
  const std::lock_guard lock(mutex_);
  return is_gone_locked(worker);
}

Status FleetSessionHost::may_ask(const std::string& worker) {
  if (!connection_->is_up()) return fail(Code::kUnavailable, "the fleet's NATS does not answer");
  const std::lock_guard lock(mutex_);
  if (is_gone_locked(worker)) {
    return fail(Code::kNotFound, "the worker that held this session is gone");
  }
  if (silence_locked(worker) > kWorkerGone) {
    return fail(Code::kUnavailable, "the worker that holds this session does not answer");
  }
  return {};
}

Result<std::string> FleetSessionHost::place_for(const std::string& language,
                                                const std::string& caller) {
  if (!connection_->is_up()) return fail(Code::kUnavailable, "the fleet's NATS does not answer");
  const std::lock_guard lock(mutex_);
  std::uint64_t own = 0;
  Worker* best = nullptr;
  bool any = false;
  std::uint64_t least = 0;
  for (auto& [id, each] : workers_) {
    if (sys::now() - each.heard > kWorkerGone) continue;
    std::uint64_t sessions = each.state.count();
    for (const auto& [who, given] : each.given) {
      sessions += given;
      if (who == caller) own += given;
    }
    for (const auto& of : each.state.callers) own += of.id == caller ? of.sessions : 0;
    const bool has =
        std::ranges::find(each.state.languages, language) != each.state.languages.end();
    if (each.state.draining || !has) continue;
    any = true;
    if (sessions >= each.state.most || (best != nullptr && sessions >= least)) continue;
    best = &each;
    least = sessions;
  }
  if (own >= settings_.most_per_caller) {
    return fail(Code::kExhausted, "you have " + std::to_string(own) +
                                      " sessions, as many as one caller may: quit one");
  }
  if (!any) {
    return fail(Code::kUnavailable, "no worker of the fleet has sessions of " + language + " now");
  }
  if (best == nullptr)
    return fail(Code::kExhausted, "the workers have as many sessions as they may");
  ++best->given[caller];
  return best->state.worker;
}

std::size_t FleetSessionHost::count() {
  std::size_t all = 0;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, each] : workers_) {
    if (sys::now() - each.heard <= kSessionsGone) all += each.state.count();
  }
  return all;
}

// ---- Questions -------------------------------------------------------------------------------

void FleetSessionHost::ask_for_view(const std::string& place,
                                    SessionQuestion question,
                                    Nanoseconds patience,
                                    const Answer& answer) {
  questions_.ask(place, std::move(question), patience,
                 [answer](Result<SessionReply> reply) { answer(view_in(std::move(reply))); });
}

void FleetSessionHost::create(engine::SessionOrder order, const Answer& answer) {
  SessionQuestion asked = question(Kind::kCreate, order.address);
  asked.caller = order.caller;
  asked.policy = order.policy->name;
  const engine::SessionAddress address = order.address;
  asked.order = std::move(order);
  asked.order.planned.reset();
  // Its worker may die before it answers, and it may be there all the same.
  look_after(address, "");
  ask_for_view(address.place, std::move(asked), settings_.queue_wait + kInACell,
               [this, address, answer](Result<engine::SessionView> made) {
                 if (made) return answer(std::move(made));
                 Error error = std::move(made).error();
                 const bool unknown =
                     error.code == Code::kUnavailable || error.code == Code::kNotFound;
                 {
                   const std::lock_guard lock(mutex_);
                   sessions_.erase(address.id);
                   // Nobody has it, should it come to be after all.
                   if (unknown) lost_[address.place].insert(address.id);
                 }
                 if (unknown) error.code = Code::kUnavailable;
                 answer(std::unexpected(std::move(error)));
               });
}

Result<engine::SessionView> FleetSessionHost::find(const engine::SessionAddress& session) {
  TRY(may_ask(session.place));
  return view_in(questions_.ask(session.place, question(Kind::kFind, session), kSoon));
}

Result<std::vector<engine::SessionView>> FleetSessionHost::list(const std::string& caller) {
  struct Heard {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t missing = 0;
    Status status;
    std::vector<engine::SessionView> sessions;
  };
  std::vector<std::string> there;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, each] : workers_) {
      if (!is_gone_locked(id)) there.push_back(id);
    }
  }
  const auto heard = std::make_shared<Heard>();
  heard->missing = there.size();
  for (const std::string& each : there) {
    SessionQuestion asked = question(Kind::kList, {});
    asked.caller = caller;
    questions_.ask(each, std::move(asked), kSoon, [heard](Result<SessionReply> reply) {
      const std::lock_guard lock(heard->mutex);
      --heard->missing;
      if (!reply && reply.error().code != Code::kNotFound) {
        heard->status = std::unexpected(reply.error());
      }
      if (reply) std::ranges::move(reply->sessions, std::back_inserter(heard->sessions));
      heard->changed.notify_all();
    });
  }
  std::unique_lock lock(heard->mutex);
  heard->changed.wait(lock, [&] { return heard->missing == 0; });
  TRY(heard->status);
  std::ranges::sort(heard->sessions, {}, [](const engine::SessionView& each) -> const std::string& {
    return each.address.id;
  });
  return std::move(heard->sessions);
}

Status FleetSessionHost::interrupt(const engine::SessionAddress& session,
                                   const std::string& execution) {
  TRY(may_ask(session.place));
  SessionQuestion asked = question(Kind::kInterrupt, session);
  asked.execution = execution;
  TRY(questions_.ask(session.place, std::move(asked), kSoon));
  return {};
}

void FleetSessionHost::cancel(const engine::SessionAddress& session, const std::string& execution) {
  SessionQuestion asked = question(Kind::kCancel, session);
  asked.execution = execution;
  questions_.ask(session.place, std::move(asked), kInACell, [](const auto& /*reply*/) {});
}

Result<engine::SessionView> FleetSessionHost::set_paused(const engine::SessionAddress& session,
                                                         bool paused) {
  TRY(may_ask(session.place));
  const Kind kind = paused ? Kind::kPause : Kind::kResume;
  return view_in(questions_.ask(session.place, question(kind, session), kSoon));
}

void FleetSessionHost::use_files(const engine::SessionAddress& session,
                                 engine::FileWish wish,
                                 const AnswerFiles& answer) {
  SessionQuestion asked = question(Kind::kFiles, session);
  asked.files = std::move(wish);
  questions_.ask(session.place, std::move(asked), settings_.queue_wait + kInACell,
                 [answer](Result<SessionReply> reply) {
                   if (!reply) return answer(std::unexpected(reply.error()));
                   answer(std::move(reply->files));
                 });
}

void FleetSessionHost::change_context(const engine::SessionAddress& session,
                                      engine::ContextChange change,
                                      const std::string& context,
                                      const std::string& cwd,
                                      const Answer& answer) {
  SessionQuestion asked = question(Kind::kContext, session);
  asked.change = change;
  asked.context = context;
  asked.cwd = cwd;
  ask_for_view(session.place, std::move(asked), settings_.queue_wait + kInACell, answer);
}

void FleetSessionHost::quit(const engine::SessionAddress& session, const Answer& answer) {
  ask_for_view(session.place, question(Kind::kQuit, session), kInACell, answer);
}

// ---- Executions ------------------------------------------------------------------------------

Status FleetSessionHost::execute(engine::ExecutionOrder order,
                                 std::shared_ptr<engine::ExecutionListener> listener,
                                 const std::function<Status()>& accept) {
  TRY(may_ask(order.session.place));
  TRY(accept());
  SessionQuestion asked = question(Kind::kExecute, order.session);
  asked.execution = order.id;
  asked.asked = order;
  const std::string place = order.session.place;
  const std::string id = order.id;
  const bool refused = order.refused;
  if (!refused) {
    // Before its worker knows of it: what it says may come before the answer.
    const std::lock_guard lock(mutex_);
    running_.emplace(id, Running{.order = std::move(order), .listener = std::move(listener)});
  }
  const auto reply = questions_.ask(place, std::move(asked), kSoon);
  if (reply) return {};
  if (refused) return std::unexpected(reply.error());
  const std::lock_guard lock(mutex_);
  // It has ended meanwhile, so it was taken.
  if (!running_.contains(id)) return {};
  // Whether it was taken nobody knows now: it ends, or its worker is gone, or does not have it.
  if (reply.error().code == Code::kUnavailable) {
    left_.emplace(id, Left{.session = running_.at(id).order.session});
    return {};
  }
  running_.erase(id);
  return std::unexpected(reply.error());
}

std::unique_ptr<engine::Following> FleetSessionHost::follow(const std::string& execution,
                                                            engine::ExecutionListener& listener) {
  return std::make_unique<EventsFollowing>(
      stream_, told_of_session("event", kAnyWorker, execution),
      [&listener](const std::string& data) {
        if (const auto happening = read_session_happening(data)) tell(listener, *happening);
      });
}

// ---- What workers tell -----------------------------------------------------------------------

void FleetSessionHost::take_told(const Message& message) {
  const auto told = read_told_subject(message.subject);
  if (!told) return;
  const std::string& id = told->run;
  if (id == kItsSessions) return take_state(told->worker, message.data);
  std::shared_ptr<engine::ExecutionListener> listener;
  {
    const std::lock_guard lock(mutex_);
    const auto running = running_.find(id);
    if (running != running_.end()) listener = running->second.listener;
    // Who holds a session tells of it, and nobody else.
    if (!is_its_worker_locked(id, told->worker)) return;
    // Of the executions of others only the end is theirs to hear, and that is stored for them.
    if (!listener && !left_.contains(id) && !id.starts_with("ses")) return;
  }
  threads_->post(
      id, [this, id, kind = told->kind, worker = told->worker, listener, data = message.data] {
        if (kind == "end") {
          (void)take_end(id, worker, data);
        } else if (const auto happening = read_session_happening(data); happening && listener) {
          tell(*listener, *happening);
        }
      });
}

// As far as it is known here who does: of the sessions and executions of others it is not.
bool FleetSessionHost::is_its_worker_locked(const std::string& id,
                                            const std::string& worker) const {
  if (const auto found = running_.find(id); found != running_.end()) {
    return found->second.order.session.place == worker;
  }
  if (const auto found = left_.find(id); found != left_.end()) {
    return found->second.session.place == worker;
  }
  const auto found = sessions_.find(id);
  return found == sessions_.end() || found->second == worker;
}

void FleetSessionHost::take_state(const std::string& worker, const std::string& text) {
  auto state = read_sessions_state(text);
  if (!state || state->worker != worker) return;
  std::set<std::string> lost;
  const std::string id = state->worker;
  {
    const std::lock_guard lock(mutex_);
    workers_[id] = {.state = *std::move(state), .heard = sys::now(), .given = {}};
    if (const auto back = lost_.find(id); back != lost_.end()) {
      lost = std::move(back->second);
      lost_.erase(back);
    }
    known_.notify_all();
  }
  // It was cut off for long, and what it held has been called lost.
  for (const std::string& each : lost) {
    questions_.ask(id, question(Kind::kQuit, {.id = each, .place = id}), kInACell,
                   [](const auto& /*reply*/) {});
  }
}

// Answers whether that is done with.
bool FleetSessionHost::take_end(const std::string& id,
                                const std::string& worker,
                                const std::string& text) {
  {
    const std::lock_guard lock(mutex_);
    if (over_.contains(id)) return true;
  }
  std::string whole = text;
  const auto object = referred_object(text);
  if (object) {
    // Not what is another's: it would be shown as this one's, and removed.
    if (*object != end_object(id, worker)) return true;
    auto got = objects_.get(*object);
    // It comes again; where it is gone another gateway has recorded it.
    if (!got) return got.error().code == Code::kNotFound;
    whole = *std::move(got);
  }
  bool done = true;
  if (id.starts_with("ses")) {
    const auto session = read_session(whole);
    // Nothing of another session than the one that it says to hold.
    if (!session || session->address.id != id || session->address.place != worker) return true;
    done = take_session_end(*session);
  } else if (auto end = read_execution_end(whole); end && end->id == id) {
    done = take_execution_end(*std::move(end));
  } else {
    engine::ExecutionEnd unreadable;
    unreadable.id = id;
    unreadable.made = fail(Code::kInternal, "its worker said what makes no sense");
    done = take_execution_end(std::move(unreadable));
  }
  if (!done) return false;
  {
    const std::lock_guard lock(mutex_);
    over_locked(id);
  }
  if (object) (void)objects_.remove(*object).has_value();
  return true;
}

void FleetSessionHost::over_locked(const std::string& id) {
  if (!over_.insert(id).second) return;
  over_order_.push_back(id);
  if (over_order_.size() <= kMostOver) return;
  over_.erase(over_order_.front());
  over_order_.pop_front();
}

bool FleetSessionHost::take_execution_end(engine::ExecutionEnd end) {
  std::shared_ptr<engine::ExecutionListener> listener;
  {
    const std::lock_guard lock(mutex_);
    left_.erase(end.id);
    if (const auto running = running_.find(end.id); running != running_.end()) {
      listener = std::move(running->second.listener);
      running_.erase(running);
    }
  }
  if (!listener) return owner_->on_execution_end(std::move(end));
  listener->on_end(std::move(end));
  return true;
}

bool FleetSessionHost::take_session_end(const engine::SessionView& session) {
  if (!owner_->on_session_end(session)) return false;
  const std::lock_guard lock(mutex_);
  sessions_.erase(session.address.id);
  return true;
}

// What was told while nobody was listening to whom it concerns.
void FleetSessionHost::take_late_ends(const std::stop_token& stop) {
  while (pause_unless_stopped(stop, kLateEndsEvery)) {
    while (!stop.stop_requested()) {
      const auto delivery = stream_.next_or_mend(kEndsStream, kSessionEnds);
      if (!delivery) break;
      const auto told = read_told_subject(delivery->subject);
      if (!told) {
        (void)stream_.acknowledge(*delivery).has_value();
        continue;
      }
      threads_->post(told->run, [this, told = *told, end = *delivery] {
        bool wanted = false;
        {
          const std::lock_guard inner(mutex_);
          wanted = is_its_worker_locked(told.run, told.worker);
        }
        if (!wanted || take_end(told.run, told.worker, end.data))
          (void)stream_.acknowledge(end).has_value();
      });
    }
  }
}

// ---- Looking after them ----------------------------------------------------------------------

void FleetSessionHost::look_after(const engine::SessionAddress& session,
                                  const std::string& execution) {
  const std::lock_guard lock(mutex_);
  if (execution.empty()) {
    sessions_[session.id] = session.place;
  } else if (!running_.contains(execution)) {
    left_.emplace(execution, Left{.session = session});
  }
}

void FleetSessionHost::watch(const std::stop_token& stop) {
  while (pause_unless_stopped(stop, kLookEvery)) {
    // Silence is a death only where NATS serves us: a stream's leader answers, so we are on its
    // side of whatever is cut.
    const bool up = connection_->is_up() &&
                    (!somebody_seems_gone() || stream_.stream_state(kEndsStream).has_value());
    if (!up) {
      const std::lock_guard inner(mutex_);
      up_since_ = sys::now();
    }
    questions_.look_after([this](const std::string& worker) { return is_gone(worker); });
    if (!up) continue;
    look_after_sessions();
    look_after_executions();
  }
}

bool FleetSessionHost::somebody_seems_gone() {
  const std::lock_guard lock(mutex_);
  const auto seems_gone = [this](const std::string& worker) { return is_gone_locked(worker); };
  return std::ranges::any_of(sessions_,
                             [&](const auto& each) { return seems_gone(each.second); }) ||
         std::ranges::any_of(
             left_, [&](const auto& each) { return seems_gone(each.second.session.place); }) ||
         std::ranges::any_of(running_, [&](const auto& each) {
           return seems_gone(each.second.order.session.place);
         });
}

void FleetSessionHost::look_after_sessions() {
  std::vector<engine::SessionAddress> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, place] : sessions_) {
      if (is_gone_locked(place)) gone.push_back({.id = id, .place = place});
    }
    // Nobody asks for what these held any more.
    std::erase_if(workers_, [this](const auto& each) {
      const bool forgotten = sys::now() - each.second.heard > 60 * kSessionsGone;
      if (forgotten) lost_.erase(each.first);
      return forgotten;
    });
  }
  for (const engine::SessionAddress& each : gone) lose(each);
}

void FleetSessionHost::lose(const engine::SessionAddress& session) {
  if (!owner_->on_lost(session, "", "the worker that held it is gone")) return;  // again later
  const std::lock_guard lock(mutex_);
  sessions_.erase(session.id);
  lost_[session.place].insert(session.id);
}

void FleetSessionHost::look_after_executions() {
  std::vector<Running> cut_off;
  std::vector<std::pair<std::string, Left>> gone;
  std::vector<std::pair<std::string, Left>> due;
  {
    const std::lock_guard lock(mutex_);
    const Nanoseconds now = sys::now();
    const auto is_missing = [&](const Left& each) {
      return each.missing > Nanoseconds{} && now - each.missing > kMostMissing;
    };
    for (auto at = running_.begin(); at != running_.end();) {
      const auto left = left_.find(at->first);
      const bool missing = left != left_.end() && is_missing(left->second);
      if (!missing && !is_gone_locked(at->second.order.session.place)) {
        ++at;
        continue;
      }
      if (left != left_.end()) left_.erase(left);
      cut_off.push_back(std::move(at->second));
      at = running_.erase(at);
    }
    for (auto& [id, each] : left_) {
      if (is_missing(each) || is_gone_locked(each.session.place)) {
        gone.emplace_back(id, each);
      } else if (now - each.asked > kAskAfterEvery) {
        each.asked = now;
        due.emplace_back(id, each);
      }
    }
  }
  // Nobody else ends these, and an end that comes after all is not the first.
  for (const Running& each : cut_off) {
    threads_->post(each.order.id, [running = each] {
      engine::ExecutionEnd end;
      end.id = running.order.id;
      end.session = running.order.session.id;
      end.context = running.order.context;
      end.note = running.order.note;
      end.made = fail(Code::kUnavailable, "the worker that executed it is gone");
      running.listener->on_end(std::move(end));
    });
  }
  for (const auto& [id, each] : gone) {
    if (!owner_->on_lost(each.session, id, "its worker was gone")) continue;
    const std::lock_guard lock(mutex_);
    left_.erase(id);
  }
  for (const auto& [id, each] : due) ask_after(id, each);
}

void FleetSessionHost::ask_after(const std::string& execution, const Left& left) {
  SessionQuestion asked = question(Kind::kIsUnderWay, left.session);
  asked.execution = execution;
  questions_.ask(left.session.place, std::move(asked), kSoon,
                 [this, execution](const Result<SessionReply>& reply) {
                   if (!reply) return;
                   const std::lock_guard lock(mutex_);
                   const auto found = left_.find(execution);
                   if (found == left_.end()) return;
                   Nanoseconds& missing = found->second.missing;
                   if (reply->is_under_way) {
                     missing = {};
                   } else if (missing == Nanoseconds{}) {
                     missing = sys::now();
                   }
                 });
}

}  // namespace belljar::fleet
