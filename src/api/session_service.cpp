#include "api/session_service.h"

#include <boost/json.hpp>
#include <utility>

#include "api/execution_events.h"
#include "api/media_types.h"
#include "api/request_fields.h"
#include "api/run_request.h"
#include "api/session_json.h"
#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostKnown = 20'000;  // sessions; the ledger has the others

std::unexpected<Error> no_such_session() {
  return fail(Code::kNotFound, "there is no session of this id");
}

std::unexpected<Error> no_such_execution() {
  return fail(Code::kNotFound, "there is no execution of this id, or not any more");
}

// Of executions, which nobody can begin again.
bool is_execution(const ledger::Run& run) {
  return !run.session.empty() && run.id != run.session;
}

ledger::Run record_of(const engine::SessionView& session) {
  ledger::Run run;
  run.id = run.session = session.address.id;
  run.caller = session.caller;
  run.language = session.language;
  run.policy = session.policy;
  run.submission = to_json(session);
  run.created_ms = session.created_ms;
  return run;
}

ledger::Ending ending_of(const engine::SessionView& session) {
  return {.state = session.ended_by == "lost" ? ledger::State::kLost : ledger::State::kDone,
          .status = session.ended_by,
          .reason = session.reason,
          .outcome = to_json(session),
          .at_ms = unix_ms()};
}

// `cancelled`: its client has gone away before anything of it was executed.
ledger::Ending ending_of(const engine::ExecutionEnd& end, bool cancelled) {
  ledger::Ending ending{.state = ledger::State::kLost, .at_ms = unix_ms()};
  if (end.made) {
    ending.state = ledger::State::kDone;
    ending.status = engine::to_string(end.made->status);
  } else if (cancelled && !end.started) {
    ending.state = ledger::State::kCancelled;
  }
  ending.reason = end.made ? end.made->reason : end.made.error().message;
  ending.outcome = to_json(end, ending.state);
  return ending;
}

}  // namespace

// One execution that this process asks its host for.
class SessionService::Work : public Journal::Entry, public engine::ExecutionListener {
 public:
  Work(SessionService& service, std::shared_ptr<LiveRun> live)
      : live(std::move(live)), service_(service) {}

  void on_start() override {
    (void)service_.journal_.start(*this);
    add_start(*live);
  }
  void on_output(engine::OutputStream stream, std::string_view bytes) override {
    live->add_output(stream, bytes);
  }
  void on_result(const std::string& text) override { add_result(*live, text); }
  void on_end(engine::ExecutionEnd end) override { service_.finish(*this, end); }

  engine::ExecutionOrder order;
  const std::shared_ptr<LiveRun> live;
  bool accepted = false;  // something of it may be in the ledger

 private:
  SessionService& service_;
};

SessionService::SessionService(const Settings& settings,
                               const runtime::Catalog& catalog,
                               ledger::Store& store,
                               Journal& journal,
                               engine::SessionHost& host,
                               Metrics& metrics,
                               const RunService& runs)
    : settings_(settings),
      catalog_(catalog),
      store_(store),
      journal_(journal),
      host_(host),
      metrics_(metrics),
      runs_(runs),
      follower_(host, store) {
  host_.serve(*this);
}

// ---- Whose a session is ----------------------------------------------------------------------

void SessionService::know(const engine::SessionView& session) {
  const std::lock_guard lock(mutex_);
  known_[session.address.id] = {.address = session.address,
                                .caller = session.caller,
                                .language = session.language,
                                .policy = session.policy,
                                .screening = session.note};
  // The oldest first: ids sort by time.
  if (known_.size() > kMostKnown) known_.erase(known_.begin());
}

Result<SessionService::Known> SessionService::find(const Caller& caller, const std::string& id) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(id);
    if (known != known_.end()) {
      if (known->second.caller != caller.id) return no_such_session();
      return known->second;
    }
  }
  TRY_ASSIGN(const ledger::Run run, recorded(caller, id));
  Known known{.address = {.id = id, .place = {}},
              .caller = run.caller,
              .language = {},
              .policy = {},
              .screening = {}};
  TRY_ASSIGN(known.address.place, place_in(run.submission));
  known.ended = host_.is_shared() && ledger::has_ended(run.state);
  const std::lock_guard lock(mutex_);
  known_.try_emplace(id, known);
  if (known_.size() > kMostKnown) known_.erase(known_.begin());
  return known;
}

Result<SessionService::Known> SessionService::find_whole(const Caller& caller,
                                                         const std::string& id) {
  TRY_ASSIGN(Known known, find_open(caller, id));
  if (!known.language.empty()) return known;
  const auto session = host_.find(known.address);
  if (!session) return std::unexpected(why_not(id, session.error()));
  know(*session);
  return find(caller, id);
}

// A session of the caller's, from the ledger.
Result<ledger::Run> SessionService::recorded(const Caller& caller, const std::string& id) {
  auto run = store_.find(id);
  if (!run && run.error().code != Code::kNotFound) {
    return fail(Code::kUnavailable, run.error().message);
  }
  if (!run || run->id != run->session || run->caller != caller.id) return no_such_session();
  return run;
}

// One that may still be asked for something.
Result<SessionService::Known> SessionService::find_open(const Caller& caller,
                                                        const std::string& id) {
  TRY_ASSIGN(const Known known, find(caller, id));
  if (!known.ended) return known;
  TRY_ASSIGN(const ledger::Run run, recorded(caller, id));
  return fail(Code::kConflict, "the session has ended: " + run.reason);
}

void SessionService::has_ended(const std::string& id) {
  shelf_.end(id);
  if (!host_.is_shared()) return;
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(id);
  if (known != known_.end()) known->second.ended = true;
}

// Of a session that its host does not have any more the ledger may know the end.
Error SessionService::why_not(const std::string& id, Error error) {
  if (!host_.is_shared() || error.code != Code::kNotFound) return error;
  const auto run = store_.find(id);
  if (!run || !ledger::has_ended(run->state)) return error;
  has_ended(id);
  return {.code = Code::kConflict, .message = "the session has ended: " + run->reason};
}

bool SessionService::is_live(const Caller& caller, const std::string& id) {
  const auto known = find(caller, id);
  if (!known || known->ended) return false;
  const auto session = host_.find(known->address);
  return session && session->state != engine::SessionState::kEnded;
}

Result<std::string> SessionService::session_json(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const Known known, find(caller, id));
  if (!known.ended) {
    const auto session = host_.find(known.address);
    if (session) return to_json(*session);
    if (session.error().code != Code::kNotFound) return std::unexpected(session.error());
  }
  TRY_ASSIGN(ledger::Run run, recorded(caller, id));
  return run.outcome.empty() ? run.submission : run.outcome;
}

Result<std::string> SessionService::list_json(const Caller& caller) {
  TRY_ASSIGN(const std::vector<engine::SessionView> sessions, host_.list(caller.id));
  std::string text = "{\"sessions\":[";
  for (const engine::SessionView& each : sessions) {
    if (text.back() != '[') text += ',';
    text += to_json(each);
  }
  return text + "]}";
}

// ---- Creation --------------------------------------------------------------------------------

bool SessionService::asks_for_nothing(const SessionRequest& request) const {
  const Submission& submission = request.submission;
  return submission.files.empty() && submission.env.empty() &&
         submission.limits == LimitOverrides{} &&
         (request.policy.empty() || request.policy == settings_.policy);
}

// Everything that can be said before anything is recorded.
Result<engine::SessionOrder> SessionService::order_for(const Caller& caller,
                                                       SessionRequest& request) const {
  if (request.ttl.value_or(settings_.session_ttl) > settings_.session_ttl) {
    return fail(Code::kDenied, "ttl: must be at most " + format_duration(settings_.session_ttl));
  }
  if (request.idle.value_or(settings_.session_idle) > settings_.session_idle) {
    return fail(Code::kDenied, "idle: must be at most " + format_duration(settings_.session_idle));
  }
  engine::SessionOrder order;
  TRY_ASSIGN(order.policy, runs_.policy(request.policy));
  TRY_ASSIGN(engine::PlannedSession planned,
             engine::plan_session(catalog_, *order.policy, request.submission));
  order.planned = std::make_shared<const engine::PlannedSession>(std::move(planned));
  // Told now, and not by the first execution.
  const std::string& language = order.planned->plan.manifest.name;
  const Known like{.address = {},
                   .caller = caller.id,
                   .language = language,
                   .policy = order.policy->name,
                   .screening = request.screening};
  TRY(screen(like, {}));
  TRY_ASSIGN(order.address.place, host_.place_for(language, caller.id));
  order.address.id = make_id("ses");
  order.caller = caller.id;
  order.submission = request.submission;
  order.plain = asks_for_nothing(request);
  const std::int64_t own = caller.key ? caller.key->limits.concurrent : 0;
  order.concurrent = own > 0 ? static_cast<std::size_t>(own) : settings_.concurrent_per_caller;
  order.created_ms = unix_ms();
  order.ttl = request.ttl.value_or(settings_.session_ttl);
  order.idle = request.idle.value_or(settings_.session_idle);
  order.note = request.screening;
  return order;
}

void SessionService::create(const Caller& caller,
                            SessionRequest request,
                            const std::string& idempotency_key,
                            const CreateAnswer& answer) {
  auto order = order_for(caller, request);
  if (!order) return answer(std::unexpected(in_request_words(order.error())));
  auto earlier = promise(caller, request, idempotency_key, *order);
  if (!earlier) return answer(std::unexpected(earlier.error()));
  if (*earlier) return answer(**std::move(earlier));
  const engine::SessionView begun = engine::view_of(*order);
  know(begun);
  host_.create(*std::move(order),
               [this, begun, answer](const Result<engine::SessionView>& session) {
                 if (!session) {
                   withdraw(begun, session.error());
                   return answer(std::unexpected(session.error()));
                 }
                 created(*session);
                 answer(Created{.text = to_json(*session)});
               });
}

// With a key it is in the ledger before it is begun, so that a repetition finds it, and where
// others hold it, so that every gateway does; answers with what an earlier request has made.
Result<std::optional<SessionService::Created>> SessionService::promise(
    const Caller& caller,
    const SessionRequest& request,
    const std::string& idempotency_key,
    const engine::SessionOrder& order) {
  if (idempotency_key.empty() && !host_.is_shared()) return std::nullopt;
  ledger::Run run = record_of(engine::view_of(order));
  run.request = to_json(request);
  TRY_ASSIGN(const ledger::Accepted accepted, journal_.accept(caller, {&run, 1}, idempotency_key));
  if (accepted.answer == ledger::Accepted::Answer::kReplayed) {
    TRY_ASSIGN(std::string text, session_json(caller, accepted.id));
    return Created{.text = std::move(text), .replayed = true};
  }
  const std::lock_guard lock(mutex_);
  entries_[order.address.id] =
      std::make_shared<Journal::Entry>(Journal::Entry{.record = std::move(run)});
  return std::nullopt;
}

// That it has begun. Where nobody was promised anything it is written a moment later, and so keeps
// nobody waiting: a gateway that is killed before leaves the session to the next one, which records
// it.
void SessionService::created(const engine::SessionView& session) {
  metrics_.count("belljar_sessions_total", "result=\"created\"");
  std::shared_ptr<Journal::Entry> entry;
  bool promised = true;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Journal::Entry>& its = entries_[session.address.id];
    if (!its) {
      promised = false;
      its = std::make_shared<Journal::Entry>(Journal::Entry{.record = record_of(session)});
      its->record.started_ms = unix_ms();
    }
    entry = its;
  }
  if (promised) {
    (void)journal_.start(*entry);
  } else {
    journal_.accept_later(entry);
  }
}

std::shared_ptr<Journal::Entry> SessionService::take_entry(const std::string& session) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(session);
  if (found == entries_.end()) return nullptr;
  auto entry = std::move(found->second);
  entries_.erase(found);
  return entry;
}

// It did not begin. Its client hears of an error and may come again with the same key.
void SessionService::withdraw(engine::SessionView session, const Error& error) {
  if (error.code != Code::kExhausted) {
    metrics_.count("belljar_sessions_total", "result=\"failed\"");
  }
  const auto entry = take_entry(session.address.id);
  if (!entry) return;
  session.state = engine::SessionState::kEnded;
  session.ended_by = "failed";
  session.reason = error.message;
  ledger::Ending ending = ending_of(session);
  ending.state = ledger::State::kLost;
  // Where that cannot be written now, a repetition is told that it failed.
  if (journal_.end(*entry, std::move(ending))) (void)store_.remove(session.address.id).has_value();
}

void SessionService::adopt(const engine::SessionView* session) {
  metrics_.count("belljar_sessions_total",
                 session != nullptr ? "result=\"adopted\"" : "result=\"lost\"");
  if (session == nullptr) return;
  know(*session);
  auto entry = std::make_shared<Journal::Entry>(Journal::Entry{.record = record_of(*session)});
  entry->record.started_ms = unix_ms();
  if (!store_.find(session->address.id)) journal_.accept_later(entry);
  const std::lock_guard lock(mutex_);
  entries_[session->address.id] = std::move(entry);
}

// ---- Ends ------------------------------------------------------------------------------------

bool SessionService::on_session_end(const engine::SessionView& session) {
  has_ended(session.address.id);
  const auto entry = take_entry(session.address.id);
  if (!entry) {
    const auto ended = store_.finished(session.address.id, ending_of(session));
    return ended || ended.error().code != Code::kExhausted;
  }
  metrics_.count("belljar_sessions_total", "result=\"ended\"");
  // What the ledger cannot take now it takes as lost after the next start.
  (void)journal_.end(*entry, ending_of(session)).has_value();
  return true;
}

bool SessionService::on_execution_end(engine::ExecutionEnd end) {
  const auto ended = store_.finished(end.id, ending_of(end, false));
  return ended || ended.error().code != Code::kExhausted;
}

bool SessionService::on_lost(const engine::SessionAddress& session,
                             const std::string& execution,
                             const std::string& reason) {
  const auto run = store_.find(execution.empty() ? session.id : execution);
  if (!run) return run.error().code == Code::kNotFound;
  if (ledger::has_ended(run->state)) return true;
  ledger::Ending ending{.state = ledger::State::kLost, .reason = reason, .at_ms = unix_ms()};
  if (execution.empty()) {
    ending.status = "lost";
    auto text = lost_session_json(run->submission, reason);
    ending.outcome = text ? *std::move(text) : "";
    has_ended(session.id);
    (void)take_entry(session.id);
    if (host_.is_shared()) metrics_.count("belljar_sessions_total", "result=\"lost\"");
  } else {
    ending.reason += run->state == ledger::State::kQueued ? " before this was executed"
                                                          : " while this was executed";
    ending.outcome = cut_short_json(*run, ending.state, ending.reason);
  }
  const auto ended = store_.finished(run->id, ending);
  return ended || ended.error().code != Code::kExhausted;
}

Status SessionService::recover() {
  TRY_ASSIGN(const std::vector<ledger::Run> runs, store_.unfinished());
  for (const ledger::Run& each : runs) {
    if (!each.session.empty()) TRY(look_after(each));
  }
  return {};
}

Status SessionService::look_after(const ledger::Run& each) {
  engine::SessionAddress address{.id = each.session, .place = {}};
  const auto session = store_.find(each.session);
  if (session) {
    TRY_ASSIGN(address.place, place_in(session->submission));
  }
  host_.look_after(address, is_execution(each) ? each.id : "");
  return {};
}

void SessionService::quit(const Caller& caller, const std::string& id, const Answer& answer) {
  const auto known = find(caller, id);
  if (!known) return answer(std::unexpected(known.error()));
  if (known->ended) return answer(session_json(caller, id));
  host_.quit(known->address, [answer](const Result<engine::SessionView>& session) {
    if (!session) return answer(std::unexpected(session.error()));
    answer(to_json(*session));
  });
}

// ---- Executions ------------------------------------------------------------------------------

Result<screen::Verdict> SessionService::screen(const Known& session,
                                               const ExecutionRequest& request) const {
  TRY_ASSIGN(std::string path, file_name(session.language));
  const File code{
      .path = std::move(path),
      .content = request.marshalled ? base64_decode(request.code).value_or("") : request.code};
  return runs_.screen(request.screening.empty() ? session.screening : request.screening,
                      session.language, {&code, 1}, code.path);
}

// What code of a language would be called as a file. A manifest is read from its text each time.
Result<std::string> SessionService::file_name(const std::string& language) const {
  {
    const std::lock_guard lock(mutex_);
    const auto known = file_names_.find(language);
    if (known != file_names_.end()) return known->second;
  }
  TRY_ASSIGN(const runtime::Manifest manifest, catalog_.by_name(language));
  std::string name = "main" + (manifest.extensions.empty() ? "" : manifest.extensions.front());
  const std::lock_guard lock(mutex_);
  return file_names_.emplace(language, std::move(name)).first->second;
}

Result<Submitted> SessionService::execute(const Caller& caller,
                                          const std::string& id,
                                          ExecutionRequest request,
                                          const ExecuteOptions& options) {
  const std::string name = make_id("exe");
  const bool streamed = !options.answered_at_end || options.is_watched;
  auto pieces = host_.is_shared() ? LiveRun::Pieces::kAsTheyCome : LiveRun::Pieces::kJoined;
  const auto work =
      std::make_shared<Work>(*this, std::make_shared<LiveRun>(name, caller.id, pieces));
  ledger::Run& run = work->record;
  run.id = name;
  run.caller = caller.id;
  run.session = id;
  run.submission = to_json(id, request);
  run.created_ms = unix_ms();
  // First of all: what was executed is found also where nothing can be executed any more.
  TRY_ASSIGN(const std::optional<std::string> earlier,
             journal_.earlier(run, options.idempotency_key));
  const auto replay = [&](const std::string& first) -> Result<Submitted> {
    TRY_ASSIGN(auto live, this->execution(caller, id, first));
    return Submitted{.live = std::move(live), .id = first, .replayed = true};
  };
  if (earlier) return replay(*earlier);
  TRY_ASSIGN(const Known session, find_whole(caller, id));
  TRY_ASSIGN(const screen::Verdict verdict, screen(session, request));
  run.language = session.language;
  run.policy = session.policy;
  work->order = {.session = session.address,
                 .id = name,
                 .context = std::move(request.context),
                 .code = std::move(request.code),
                 .marshalled = request.marshalled,
                 .env = std::move(request.env),
                 .limits = request.limits,
                 .note = findings_json(verdict),
                 .streamed = streamed,
                 .refused = verdict.refused};
  std::optional<std::string> replayed;
  const Status taken =
      host_.execute(work->order, work, [&] { return accept(work, caller, options, replayed); });
  if (replayed) return replay(*replayed);
  if (!taken) {
    if (work->accepted) withdraw(*work);
    return std::unexpected(in_request_words(why_not(id, taken.error())));
  }
  if (verdict.refused) reject(*work, verdict);
  return Submitted{.live = work->live, .id = name};
}

// Into what is shown of the session, and into the ledger; the first before the second: a replay
// that comes at once must find one to wait for.
Status SessionService::accept(const std::shared_ptr<Work>& work,
                              const Caller& caller,
                              const ExecuteOptions& options,
                              std::optional<std::string>& replayed) {
  const ledger::Run& run = work->record;
  shelf_.add(run.session, work->live);
  // An end may be recorded by another gateway, where there are others: that one needs its
  // beginning.
  if (options.answered_at_end && !host_.is_shared() &&
      journal_.may_accept_later(caller, run, options.idempotency_key)) {
    journal_.accept_later(work);
    return {};
  }
  const auto accepted = journal_.accept(caller, {&run, 1}, options.idempotency_key);
  work->accepted = accepted && accepted->answer == ledger::Accepted::Answer::kNew;
  if (work->accepted) return {};
  shelf_.remove(run.session, *work->live);
  if (!accepted) return std::unexpected(accepted.error());
  replayed = accepted->id;
  return fail(Code::kConflict, "it came before");
}

// Its session did not take it after all. Its client hears of an error and may come again.
void SessionService::withdraw(Work& work) {
  shelf_.remove(work.record.session, *work.live);
  if (journal_.end(work, {.state = ledger::State::kLost, .at_ms = unix_ms()})) {
    (void)store_.remove(work.record.id).has_value();
  }
}

void SessionService::close(Work& work, ledger::Ending ending, std::optional<Error> error) {
  std::string text = ending.outcome;
  if (const Status stored = journal_.end(work, std::move(ending)); !stored && !error) {
    // Nobody was promised anything yet, and now it cannot be kept.
    error = {.code = Code::kUnavailable, .message = stored.error().message};
  }
  work.live->end(std::move(text), std::move(error));
}

void SessionService::finish(Work& work, const engine::ExecutionEnd& end) {
  if (end.started) {
    metrics_.observe("belljar_session_execution_seconds", "", end.took);
    const std::string status(end.made ? engine::to_string(end.made->status) : "lost");
    metrics_.count("belljar_session_executions_total", "status=\"" + status + "\"");
  }
  std::optional<Error> error;
  if (!end.made) error = end.made.error();
  close(work, ending_of(end, work.live->is_cancelled()), std::move(error));
}

// Refused before anything was executed: an end like another, with what was found.
void SessionService::reject(Work& work, const screen::Verdict& verdict) {
  metrics_.count("belljar_refusals_total", "reason=\"screening\"");
  metrics_.count("belljar_session_executions_total", "status=\"rejected\"");
  close(work,
        {.state = ledger::State::kDone,
         .status = "rejected",
         .reason = verdict.refusal(),
         .outcome = rejected_json(work.order, verdict.refusal()),
         .at_ms = unix_ms()},
        std::nullopt);
}

Result<std::shared_ptr<LiveRun>> SessionService::execution(const Caller& caller,
                                                           const std::string& id,
                                                           const std::string& execution) {
  TRY(find(caller, id));
  if (auto live = shelf_.find(id, execution)) return live;
  const auto run = store_.find(execution);
  if (!run || !is_execution(*run) || run->session != id || run->caller != caller.id) {
    return no_such_execution();
  }
  return follower_.follow(
      *run, run->outcome.empty() ? cut_short_json(*run, run->state, run->reason) : run->outcome);
}

Result<std::string> SessionService::executions_json(const Caller& caller,
                                                    const std::string& id,
                                                    std::optional<ledger::State> state,
                                                    std::string_view cursor,
                                                    int limit) {
  TRY(find(caller, id));
  const ledger::Filter filter{.caller = caller.id, .state = state, .session = id};
  TRY_ASSIGN(const ledger::Page page, store_.list(filter, cursor, limit));
  json::array list;
  for (const ledger::Run& run : page.runs) list.push_back(list_value(run));
  json::object object{{"executions", std::move(list)}, {"next", nullptr}};
  if (!page.next.empty()) object["next"] = page.next;
  return escape_json_for_terminal(json_text(object));
}

// ---- What else is done in a session ----------------------------------------------------------

void SessionService::abandon(const Caller& caller, const std::string& id, LiveRun& execution) {
  execution.cancel();
  const auto known = find(caller, id);
  if (known) host_.cancel(known->address, execution.id());
}

Status SessionService::interrupt(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const Known known, find_open(caller, id));
  return host_.interrupt(known.address, "");
}

Status SessionService::interrupt(const Caller& caller,
                                 const std::string& id,
                                 const LiveRun& execution) {
  TRY_ASSIGN(const Known known, find_open(caller, id));
  return host_.interrupt(known.address, execution.id());
}

Result<std::string> SessionService::pause(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const Known known, find_open(caller, id));
  TRY_ASSIGN(const engine::SessionView session, host_.set_paused(known.address, true));
  return to_json(session);
}

Result<std::string> SessionService::resume(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const Known known, find_open(caller, id));
  TRY_ASSIGN(const engine::SessionView session, host_.set_paused(known.address, false));
  return to_json(session);
}

void SessionService::use_files(const Caller& caller,
                               const std::string& id,
                               FileWish wish,
                               const Answer& answer) {
  const auto known = find_open(caller, id);
  if (!known) return answer(std::unexpected(known.error()));
  json::object object{{"path", wish.path}};
  if (wish.action == FileAction::kWrite) {
    object["bytes"] = wish.content.size();
    object["mime"] = media_type_of(wish.path);
  }
  const FileAction action = wish.action;
  host_.use_files(known->address, std::move(wish),
                  [answer, action, object = std::move(object)](Result<engine::FilesAnswer> done) {
                    if (!done) return answer(std::unexpected(done.error()));
                    switch (action) {
                      case FileAction::kList:
                        return answer(to_json(done->list));
                      case FileAction::kRead:
                        return answer(std::move(done->content));
                      case FileAction::kWrite:
                      case FileAction::kRemove:
                        return answer(escape_json_for_terminal(json_text(object)));
                    }
                  });
}

void SessionService::change_context(const Caller& caller,
                                    const std::string& id,
                                    ContextChange change,
                                    const std::string& context,
                                    const Answer& answer,
                                    const std::string& cwd) {
  const auto known = find_open(caller, id);
  if (!known) return answer(std::unexpected(known.error()));
  host_.change_context(known->address, change, context, cwd,
                       [answer](const Result<engine::SessionView>& session) {
                         if (!session) return answer(std::unexpected(session.error()));
                         answer(to_json(*session));
                       });
}

}  // namespace belljar::api
