#include "api/session_service.h"

#include <algorithm>
#include <boost/json.hpp>
#include <deque>
#include <set>
#include <utility>

#include "api/json_reader.h"
#include "api/media_types.h"
#include "api/request_fields.h"
#include "api/run_request.h"
#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"
#include "engine/plan.h"
#include "engine/session_driver.h"
#include "model/json_text.h"
#include "model/outcome_json.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostWaiting = 32;  // executions of one session
constexpr std::size_t kMostKept = 100;    // ended executions of one session
constexpr std::size_t kMostKeptBytes = 8 * kMiB;
constexpr std::size_t kMostShownOfEnded = 256 * kKiB;
constexpr std::size_t kMostEnded = 1000;  // sessions that are still shown
constexpr std::size_t kMostContexts = 16;
constexpr std::string_view kDefaultContext = "default";
// So long an ended session is still shown, with what ended it.
constexpr Nanoseconds kShownAfterEnd = std::chrono::minutes(10);
// So long after the last session somebody may still want one without waiting.
constexpr Nanoseconds kSpareLife = std::chrono::minutes(10);

Error has_ended(const std::string& reason) {
  return {.code = Code::kConflict, .message = "the session has ended: " + reason};
}

double milliseconds(Nanoseconds value) {
  return static_cast<double>(value.count()) / 1e6;
}

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

// All there is of one that never came to an end of its own.
json::object cut_short(const ledger::Run& run, ledger::State state, const std::string& reason) {
  return {{"id", run.id},
          {"session", run.session},
          {"state", ledger::state_name(state)},
          {"reason", repair_utf8(reason)}};
}

// As a list shows it.
json::object to_value(const ledger::Run& run) {
  json::object object{{"id", run.id},
                      {"session", run.session},
                      {"state", ledger::state_name(run.state)},
                      {"status", nullptr},
                      {"reason", repair_utf8(run.reason)},
                      {"created_at", time_or_null(run.created_ms)},
                      {"started_at", time_or_null(run.started_ms)},
                      {"ended_at", time_or_null(run.finished_ms)}};
  if (!run.status.empty()) object["status"] = run.status;
  return object;
}

// What was executed, as the ledger keeps it.
std::string to_json(const std::string& session, const ExecutionRequest& request) {
  return json_text(json::object{{"session", session},
                                {"context", request.context},
                                {"code", request.code},
                                {"format", request.marshalled ? "marshal" : "source"},
                                {"env", json::array(request.env.begin(), request.env.end())},
                                {"limits", api::to_value(request.limits)},
                                {"screening", request.screening}});
}

std::string_view driver_op(SessionService::ContextChange change) {
  switch (change) {
    case SessionService::ContextChange::kCreate:
      return "create_context";
    case SessionService::ContextChange::kRestart:
      return "restart_context";
    case SessionService::ContextChange::kRemove:
      break;
  }
  return "remove_context";
}

json::object to_value(const engine::Execution& made) {
  json::array files;
  for (const engine::SessionFile& file : made.files) {
    files.push_back({{"path", repair_utf8(file.path)},
                     {"bytes", file.bytes},
                     {"mime", repair_utf8(file.mime)}});
  }
  json::object object{{"status", engine::to_string(made.status)},
                      {"reason", repair_utf8(made.reason)}};
  if (made.clock) object["clock"] = to_string(*made.clock);
  if (made.exit_code) object["exit_code"] = *made.exit_code;
  if (!made.signal.empty()) object["signal"] = repair_utf8(made.signal);
  if (made.session_end) object["ended_by"] = to_string(made.session_end->status);
  object["count"] = made.count;
  object["stdout"] = belljar::to_value(made.out, Base64::kWhereNeeded);
  object["stderr"] = belljar::to_value(made.err, Base64::kWhereNeeded);
  object["results_truncated"] = made.results_truncated;
  object["files"] = std::move(files);
  object["usage"] = belljar::to_value(made.usage);
  object["events"] = belljar::to_value(made.events);
  object["denied_syscalls"] = belljar::to_value(made.denied);
  object["denied_more"] = made.denied_more;
  object["limits"] = belljar::to_value(made.limits);
  return object;
}

// The object with what an interpreter made, which is JSON that was read and written here once and
// may be large: as text it is a tenth of what it would be as values.
std::string with_results(const json::object& object,
                         const engine::Execution& made,
                         const std::string& findings) {
  std::string text = json_text(object);
  text.back() = ',';
  text += "\"results\":[";
  for (const std::string& each : made.results) {
    if (text.back() != '[') text += ',';
    text += each;
  }
  text += "],\"error\":" + (made.error.empty() ? "null" : made.error);
  if (!findings.empty()) text += ",\"screening\":" + findings;
  return text + "}";
}

// What an interpreter shows and says, onto the execution's list of events.
class Recorder : public engine::SessionObserver {
 public:
  explicit Recorder(LiveRun& live) : live_(live) {}
  void on_output(engine::OutputStream stream, std::string_view bytes) override {
    live_.add_output(stream, bytes);
  }
  void on_result(const std::string& text) override {
    live_.add("result", escape_json_for_terminal(text));
  }

 private:
  LiveRun& live_;
};

}  // namespace

struct SessionService::Execution : Journal::Entry {
  ExecutionRequest request;
  std::string findings;  // of the screening, as JSON; empty: none
  std::shared_ptr<LiveRun> live;
  Nanoseconds since{};
};

struct SessionService::LiveSession {
  struct Item {
    std::function<void(engine::WardenAccess&)> work;
    std::function<void(const Error&)> give_up;
  };

  // Before anybody else sees it, and never changed.
  std::string id;
  Caller caller;
  std::string policy;
  std::string screening;       // of executions that name none; empty: the service's
  std::size_t concurrent = 0;  // of this caller's at once; 0: no limit of its own
  std::int64_t created_ms = 0;
  Nanoseconds ttl{}, idle{};
  Nanoseconds deadline{};  // CLOCK_MONOTONIC
  engine::Plan plan;
  const Policy* rules = nullptr;

  std::mutex mutex;  // over what follows
  std::deque<Item> items;
  bool busy = false;           // a worker has it, or will
  std::size_t pending = 0;     // executions that have not ended
  bool paused = false;         // by its caller
  LiveRun* current = nullptr;  // what is executed for a client
  bool ended = false;
  std::string last;                       // what is shown of it once it has ended
  End why;                                // when it has ended, or is about to
  std::shared_ptr<Journal::Entry> entry;  // what the ledger has of it; from when it has begun
  Nanoseconds used{};                     // or ended
  std::uint64_t executions = 0;
  std::uint64_t held = 0;  // bytes that it has had at once, and may have now
  std::set<std::string, std::less<>> contexts{std::string(kDefaultContext)};
  std::unique_ptr<engine::Session> session;
  std::deque<std::shared_ptr<LiveRun>> shown;  // executions, oldest first
  std::vector<std::function<void()>> gone;     // told when nothing of it is left

  // What waits longest; nothing when it was given up.
  Item take_first() {
    const std::lock_guard lock(mutex);
    if (items.empty()) return {};
    Item item = std::move(items.front());
    items.pop_front();
    return item;
  }

  // Why its code may not be executed, now or when its turn comes.
  Status may_execute_locked() const {
    TRY(may_wait_locked());
    if (!paused) return {};
    return fail(Code::kConflict, "the session is paused: resume it first");
  }

  // Why nothing more may wait in it.
  Status may_wait_locked() const {
    if (ended) return std::unexpected(has_ended(why.reason));
    if (items.size() < kMostWaiting) return {};
    return fail(Code::kExhausted,
                "more than " + std::to_string(kMostWaiting) + " executions of this session wait");
  }

  void forget_old_locked() {
    // Of one that has ended only what is small is still shown.
    if (ended) {
      std::erase_if(shown, [](const auto& each) {
        return each->is_over() && each->bytes() > kMostShownOfEnded;
      });
    }
    const std::size_t most = ended ? kMostShownOfEnded : kMostKeptBytes;
    std::size_t bytes = 0;
    for (const auto& each : shown) bytes += each->bytes();
    while (shown.size() > 1 && shown.front()->is_over() &&
           (shown.size() > kMostKept || bytes > most)) {
      bytes -= shown.front()->bytes();
      shown.pop_front();
    }
  }

  // For the gateway after this one, should this one be killed.
  void note_locked() const {
    if (session == nullptr || session->is_over()) return;
    const json::object object{{"id", id},
                              {"caller", caller.id},
                              {"address", caller.address},
                              {"policy", policy},
                              {"screening", screening},
                              {"concurrent", concurrent},
                              {"held", held},
                              {"created_ms", created_ms},
                              {"ttl_ns", ttl.count()},
                              {"idle_ns", idle.count()},
                              {"deadline_ns", deadline.count()},
                              {"language", plan.manifest.name},
                              {"limits", belljar::to_value(plan.stages.run.limits)},
                              {"executions", executions},
                              {"paused", paused},
                              {"contexts", json::array(contexts.begin(), contexts.end())}};
    // A warden that is gone is told by the next execution.
    (void)session->keep(json_text(object)).has_value();
  }

  std::string json_locked() const {
    if (!last.empty()) return last;
    json::object object{{"id", id},
                        {"state", ended                ? "ended"
                                  : session == nullptr ? "starting"
                                  : pending > 0        ? "running"
                                  : paused             ? "paused"
                                                       : "idle"},
                        {"language", plan.manifest.name},
                        {"policy", policy},
                        {"created_at", format_time(created_ms)},
                        {"ttl_ms", milliseconds(ttl)},
                        {"idle_ms", milliseconds(idle)},
                        {"executions", executions},
                        {"contexts", json::array(contexts.begin(), contexts.end())},
                        {"limits", belljar::to_value(plan.stages.run.limits)}};
    if (session != nullptr) {
      object["version"] = repair_utf8(session->version());
      object["start"] = to_string(session->start());
      object["walls"] = belljar::to_value(session->walls());
      object["missing_walls"] = belljar::to_value(WallSet::full().minus(session->walls()));
    }
    if (ended) {
      object["ended_by"] = why.by;
      object["reason"] = repair_utf8(why.reason);
    }
    return escape_json_for_terminal(json_text(object));
  }
};

SessionService::SessionService(const Settings& settings,
                               const runtime::Catalog& catalog,
                               ledger::Store& store,
                               Journal& journal,
                               engine::Dispatcher& dispatcher,
                               Metrics& metrics,
                               const RunService& runs,
                               std::uint64_t memory)
    : settings_(settings),
      catalog_(catalog),
      store_(store),
      journal_(journal),
      dispatcher_(dispatcher),
      metrics_(metrics),
      runs_(runs),
      memory_(memory),
      watcher_([this](const std::stop_token& stop) { watch(stop); }) {}

SessionService::~SessionService() = default;

void SessionService::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  watcher_.request_stop();
  if (watcher_.joinable()) watcher_.join();
  std::vector<Shared> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, live] : sessions_) all.push_back(live);
  }
  for (const Shared& live : all) {
    end(*live, {.by = "stopped", .reason = "the service was stopped"}, {});
  }
}

std::size_t SessionService::count() {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(sessions_, [](const auto& each) {
    const std::lock_guard inner(each.second->mutex);
    return !each.second->ended;
  }));
}

bool SessionService::is_live(const Caller& caller, const std::string& id) {
  const Result<Shared> found = find(caller, id);
  if (!found) return false;
  const std::lock_guard lock((*found)->mutex);
  return !(*found)->ended;
}

Result<SessionService::Shared> SessionService::find(const Caller& caller, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto known = sessions_.find(id);
  if (known == sessions_.end() || known->second->caller.id != caller.id) {
    return no_such_session();
  }
  return known->second;
}

// A frozen session keeps its memory. What it may still grow by is asked for with each execution.
Status SessionService::may_grow(const LiveSession& live) {
  const std::lock_guard lock(mutex_);
  std::uint64_t others = 0;
  for (const auto& [id, other] : sessions_) {
    if (other.get() == &live) continue;
    const std::lock_guard inner(other->mutex);
    if (!other->ended) others += other->held;
  }
  const std::uint64_t own = live.plan.stages.run.limits.memory;
  if (others + own <= memory_) return {};
  return fail(Code::kExhausted, "the sessions hold " + format_bytes(others) + ": with this one's " +
                                    format_bytes(own) + " it were more than " +
                                    format_bytes(memory_));
}

// Room is counted and taken at once.
Status SessionService::add(const Shared& live) {
  const std::lock_guard lock(mutex_);
  std::size_t all = 0;
  std::size_t own = 0;
  for (const auto& [id, other] : sessions_) {
    const std::lock_guard inner(other->mutex);
    if (other->ended) continue;
    ++all;
    if (other->caller.id == live->caller.id) ++own;
  }
  if (own >= settings_.sessions_per_caller) {
    return fail(Code::kExhausted, "you have " + std::to_string(own) +
                                      " sessions, as many as one caller may: quit one");
  }
  if (all >= settings_.sessions) {
    return fail(Code::kExhausted,
                "there are " + std::to_string(all) + " sessions, as many as this service keeps");
  }
  sessions_.emplace(live->id, live);
  return {};
}

// The run that a session is; its driver comes among the submission's files.
Result<engine::Plan> SessionService::plan_session(const Policy& policy,
                                                  Submission& submission) const {
  TRY_ASSIGN(const runtime::Manifest manifest, catalog_.by_name(submission.language));
  if (manifest.session.empty()) {
    return fail(Code::kInvalid, "language: there are no sessions of " + manifest.title);
  }
  TRY_ASSIGN(const engine::SessionDriver driver, engine::session_driver(manifest.session));
  TRY_ASSIGN(const runtime::Toolchain toolchain, catalog_.toolchain(manifest));
  const auto add = [&](std::string_view path, std::string_view content) {
    submission.files.push_back(
        {.path = std::string(path), .content = std::string(content), .executable = false});
  };
  add(engine::kSessionDriverPath, driver.text);
  if (!driver.beside.empty()) add(engine::kBesideDriverPath, driver.beside);
  submission.entry = engine::kSessionDriverPath;
  submission.language = engine::kDriverLanguage;
  if (!driver.word.empty()) {
    submission.args = {std::string(driver.word),
                       toolchain.programs.at(manifest.programs.front().name)};
  }
  TRY_ASSIGN(engine::Plan plan, engine::plan_submission(catalog_, policy, submission));
  std::vector<std::string>& mounts = plan.stages.run.mounts;
  for (const std::string& mount : toolchain.mounts) {
    if (std::ranges::find(mounts, mount) == mounts.end()) mounts.push_back(mount);
  }
  plan.manifest = manifest;
  return plan;
}

void SessionService::create(const Caller& caller,
                            SessionRequest request,
                            const std::string& idempotency_key,
                            const CreateAnswer& answer) {
  const auto live = std::make_shared<LiveSession>();
  const bool plain = asks_for_nothing(request);
  const auto prepared = [&]() -> Status {
    if (!settings_.fleet.empty()) {
      return fail(Code::kUnavailable, "sessions are not spread over a fleet yet");
    }
    if (request.ttl.value_or(settings_.session_ttl) > settings_.session_ttl) {
      return fail(Code::kDenied, "ttl: must be at most " + format_duration(settings_.session_ttl));
    }
    if (request.idle.value_or(settings_.session_idle) > settings_.session_idle) {
      return fail(Code::kDenied,
                  "idle: must be at most " + format_duration(settings_.session_idle));
    }
    TRY_ASSIGN(live->rules, runs_.policy(request.policy));
    TRY_ASSIGN(live->plan, plan_session(*live->rules, request.submission));
    live->id = make_id("ses");
    live->caller = caller;
    const std::int64_t own = caller.key ? caller.key->limits.concurrent : 0;
    live->concurrent = own > 0 ? static_cast<std::size_t>(own) : settings_.concurrent_per_caller;
    live->policy = live->rules->name;
    live->screening = request.screening;
    // Told now, and not by the first execution.
    TRY(screen(*live, {}));
    live->created_ms = unix_ms();
    live->ttl = request.ttl.value_or(settings_.session_ttl);
    live->idle = request.idle.value_or(settings_.session_idle);
    live->used = sys::now();
    live->deadline = live->used + live->ttl;
    return {};
  }();
  if (!prepared) return answer(std::unexpected(in_request_words(prepared.error())));
  auto earlier = promise(*live, request, idempotency_key);
  if (!earlier) return answer(std::unexpected(earlier.error()));
  if (*earlier) return answer(**std::move(earlier));
  const auto refuse = [this, live, answer](const Error& error) {
    withdraw(*live, error);
    answer(std::unexpected(error));
  };
  // It is whole before anybody can find it: with its session, or with the work that makes one.
  if (plain) live->session = take_spare(live->plan.manifest.name);
  if (live->session != nullptr) {
    if (const Status added = add(live); !added) return refuse(added.error());
    std::string text;
    {
      const std::lock_guard lock(live->mutex);
      live->note_locked();
      record(*live, true);
      text = live->json_locked();
    }
    metrics_.count("belljar_sessions_total", "result=\"created\"");
    answer(Created{.text = std::move(text)});
    return make_spare(live, request.submission);
  }
  live->items.push_back({.work =
                             [this, live, plain, request = std::move(request), answer,
                              refuse](engine::WardenAccess& access) {
                               begin(*live, request, access);
                               Created created;
                               {
                                 const std::lock_guard lock(live->mutex);
                                 if (live->session != nullptr) created.text = live->json_locked();
                               }
                               if (created.text.empty()) {
                                 return refuse(
                                     {.code = Code::kUnavailable, .message = live->why.reason});
                               }
                               answer(std::move(created));
                               if (plain) make_spare(live, request.submission);
                             },
                         .give_up = refuse});
  if (const Status added = add(live); !added) {
    live->items.clear();  // which hold it
    return refuse(added.error());
  }
  pump(live);
}

namespace {

Result<std::unique_ptr<engine::Session>> begun(engine::WardenAccess& access,
                                               const engine::Plan& plan,
                                               const Policy& rules,
                                               const Submission& submission) {
  TRY_ASSIGN(warden::Client* const shared, access.client());
  Result<warden::Client> own = shared->connect();
  if (!own) {
    access.drop();
    return std::unexpected(own.error());
  }
  return engine::Session::create(*std::move(own), plan, rules, submission);
}

}  // namespace

bool SessionService::asks_for_nothing(const SessionRequest& request) const {
  const Submission& submission = request.submission;
  return submission.files.empty() && submission.env.empty() &&
         submission.limits == LimitOverrides{} &&
         (request.policy.empty() || request.policy == settings_.policy);
}

std::unique_ptr<engine::Session> SessionService::take_spare(const std::string& language) {
  std::vector<Spare> dead;  // whose end is waited for without the lock
  const std::lock_guard lock(mutex_);
  spare_wanted_ = sys::now();
  for (auto at = spares_.begin(); at != spares_.end();) {
    if (at->language != language) {
      ++at;
      continue;
    }
    Spare found = std::move(*at);
    at = spares_.erase(at);
    if (found.session->is_well()) return std::move(found.session);
    dead.push_back(std::move(found));
  }
  return nullptr;
}

// Where one session was wanted, the next one may be too, and need not wait for its interpreter.
void SessionService::make_spare(const Shared& like, const Submission& submission) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || spares_.size() + spares_coming_ >= settings_.session_spares) return;
    ++spares_coming_;
  }
  const auto work = [this, like, submission](engine::WardenAccess& access) {
    auto made = begun(access, like->plan, *like->rules, submission);
    const bool more = made.has_value();
    {
      const std::lock_guard lock(mutex_);
      --spares_coming_;
      if (more && !closed_) {
        spares_.push_back({.language = like->plan.manifest.name, .session = *std::move(made)});
      }
    }
    if (more) make_spare(like, submission);
  };
  const auto give_up = [this](const Error& /*error*/) {
    const std::lock_guard lock(mutex_);
    --spares_coming_;
  };
  const Limits& limits = like->plan.stages.run.limits;
  const Status taken = dispatcher_.submit({.caller = "spare sessions",
                                           .memory = limits.memory,
                                           .cpus_milli = limits.cpus_milli,
                                           .concurrent = 1,
                                           .deadline = sys::now() + settings_.queue_wait,
                                           .run = work,
                                           .give_up = give_up});
  if (!taken) give_up(taken.error());
}

void SessionService::forget_spares(Nanoseconds now) {
  std::vector<Spare> forgotten;  // whose end is waited for without the lock
  const std::lock_guard lock(mutex_);
  if (now - spare_wanted_ > kSpareLife) forgotten.swap(spares_);
}

void SessionService::begin(LiveSession& live,
                           const SessionRequest& request,
                           engine::WardenAccess& access) {
  auto made = begun(access, live.plan, *live.rules, request.submission);
  metrics_.count("belljar_sessions_total", made ? "result=\"created\"" : "result=\"failed\"");
  const std::lock_guard lock(live.mutex);
  live.used = sys::now();
  if (made) {
    live.session = *std::move(made);
    live.note_locked();
    record(live, true);
  } else {
    live.ended = true;
    live.why = {.by = "failed", .reason = made.error().message};
  }
}

// That it has begun. It is written a moment later, and so keeps nobody waiting: a gateway that is
// killed before leaves the session to the next one, which records it.
void SessionService::record(LiveSession& live, bool is_new) {
  if (live.entry) {  // it was promised
    (void)journal_.start(*live.entry);
    return;
  }
  live.entry = std::make_shared<Journal::Entry>(Journal::Entry{.record = record_of(live)});
  live.entry->record.started_ms = unix_ms();
  if (is_new) journal_.accept_later(live.entry);
}

ledger::Run SessionService::record_of(const LiveSession& live) const {
  ledger::Run run;
  run.id = run.session = live.id;
  run.caller = live.caller.id;
  run.language = live.plan.manifest.name;
  run.policy = live.policy;
  run.submission = live.json_locked();
  run.created_ms = live.created_ms;
  return run;
}

// With a key it is in the ledger before it is begun, so that a repetition finds it; answers with
// what an earlier request has made. Before anybody else sees it.
Result<std::optional<SessionService::Created>> SessionService::promise(
    LiveSession& live, const SessionRequest& request, const std::string& idempotency_key) {
  if (idempotency_key.empty()) return std::nullopt;
  ledger::Run run = record_of(live);
  run.request = to_json(request);
  TRY_ASSIGN(const ledger::Accepted accepted,
             journal_.accept(live.caller, {&run, 1}, idempotency_key));
  if (accepted.answer == ledger::Accepted::Answer::kReplayed) {
    TRY_ASSIGN(std::string text, session_json(live.caller, accepted.id));
    return Created{.text = std::move(text), .replayed = true};
  }
  live.entry = std::make_shared<Journal::Entry>(Journal::Entry{.record = std::move(run)});
  return std::nullopt;
}

// It did not begin. Its client hears of an error and may come again with the same key.
void SessionService::withdraw(LiveSession& live, const Error& error) {
  std::string text;
  {
    const std::lock_guard lock(live.mutex);
    live.ended = true;
    if (live.why.reason.empty()) live.why = {.by = "failed", .reason = error.message};
    text = live.json_locked();
  }
  if (!live.entry) return;
  const Status ended = journal_.end(*live.entry, {.state = ledger::State::kLost,
                                                  .status = live.why.by,
                                                  .reason = live.why.reason,
                                                  .outcome = std::move(text),
                                                  .at_ms = unix_ms()});
  // Where that cannot be written now, a repetition is told that it failed.
  if (ended) (void)store_.remove(live.id).has_value();
}

Status SessionService::read_note(LiveSession& live, const std::string& note) const {
  TRY_ASSIGN(const json::value value, parse_json(note));
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, "note"));
  const auto duration = [&reader](std::string_view name) -> Result<Nanoseconds> {
    TRY_ASSIGN(const auto count, reader.count(name));
    return Nanoseconds(static_cast<std::int64_t>(count.value_or(0)));
  };
  TRY_ASSIGN(live.id, reader.text_or("id", ""));
  TRY_ASSIGN(live.caller.id, reader.text_or("caller", ""));
  TRY_ASSIGN(live.caller.address, reader.text_or("address", ""));
  TRY_ASSIGN(live.policy, reader.text_or("policy", ""));
  TRY_ASSIGN(live.screening, reader.text_or("screening", ""));
  TRY_ASSIGN(const auto concurrent, reader.count("concurrent"));
  live.concurrent = static_cast<std::size_t>(concurrent.value_or(0));
  TRY_ASSIGN(const auto held, reader.count("held"));
  live.held = held.value_or(0);
  TRY_ASSIGN(const auto created, reader.count("created_ms"));
  live.created_ms = static_cast<std::int64_t>(created.value_or(0));
  TRY_ASSIGN(live.ttl, duration("ttl_ns"));
  TRY_ASSIGN(live.idle, duration("idle_ns"));
  TRY_ASSIGN(live.deadline, duration("deadline_ns"));
  TRY_ASSIGN(const std::string language, reader.text_or("language", ""));
  TRY_ASSIGN(live.plan.manifest, catalog_.by_name(language));
  TRY_ASSIGN(live.rules, runs_.policy(live.policy));
  const json::value* const limits = reader.find("limits");
  if (limits == nullptr) return reader.wrong("limits", "an object");
  TRY_ASSIGN(const LimitOverrides noted, read_limits(*limits, reader.where("limits")));
  live.plan.stages.run.limits = belljar::apply({}, noted);
  TRY_ASSIGN(const auto executions, reader.count("executions"));
  live.executions = executions.value_or(0);
  TRY_ASSIGN(const auto paused, reader.flag("paused"));
  live.paused = paused.value_or(false);
  TRY_ASSIGN(const std::vector<std::string> contexts, reader.texts("contexts"));
  live.contexts.insert(contexts.begin(), contexts.end());
  live.used = sys::now();
  return reader.finish();
}

void SessionService::adopt(const engine::WardenAccess::Connect& connect) {
  constexpr int kMostTries = 10'000;
  constexpr int kMostLost = 100;  // then something is wrong with us and not with them
  int lost = 0;
  for (int i = 0; i < kMostTries; ++i) {
    auto client = connect();
    if (!client) return;
    const auto live = std::make_shared<LiveSession>();
    auto kept = engine::Session::adopt(
        *std::move(client),
        [&](const std::string& note) -> Result<std::pair<Limits, OnOutputLimit>> {
          TRY(read_note(*live, note));
          return std::pair(live->plan.stages.run.limits, live->rules->on_output_limit);
        });
    if (kept && !*kept) return;
    metrics_.count("belljar_sessions_total", kept ? "result=\"adopted\"" : "result=\"lost\"");
    if (!kept && ++lost > kMostLost) return;
    if (!kept) continue;
    live->session = std::move((*kept)->session);
    const std::lock_guard lock(mutex_);
    sessions_.emplace(live->id, live);
    const std::lock_guard inner(live->mutex);
    live->note_locked();
    record(*live, !store_.find(live->id));
  }
}

Status SessionService::recover() {
  TRY_ASSIGN(const std::vector<ledger::Run> runs, store_.unfinished());
  for (const ledger::Run& each : runs) {
    if (!each.session.empty()) TRY(end_abandoned(each));
  }
  return {};
}

Status SessionService::end_abandoned(const ledger::Run& each) {
  ledger::Ending ending{.state = ledger::State::kLost, .at_ms = unix_ms()};
  if (is_execution(each)) {
    ending.reason = each.state == ledger::State::kQueued
                        ? "the service stopped before this was executed"
                        : "the service stopped while this was executed";
    ending.outcome = json_text(cut_short(each, ending.state, ending.reason));
  } else {
    const std::lock_guard lock(mutex_);
    if (sessions_.contains(each.id)) return {};
    ending.status = "lost";
    ending.reason = "the warden that held it has ended, or the service was stopped";
    TRY_ASSIGN(const ledger::Run begun, store_.find(each.id));
    TRY_ASSIGN(json::value value, parse_json(begun.submission));
    json::object& object = value.as_object();
    object["state"] = "ended";
    object["ended_by"] = "lost";
    object["reason"] = ending.reason;
    ending.outcome = json_text(object);
  }
  TRY(store_.finished(each.id, ending));
  return {};
}

// A session of the caller's that is not in memory any more.
Result<ledger::Run> SessionService::recorded(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(ledger::Run run, store_.find(id));
  if (run.id != run.session || run.caller != caller.id) return no_such_session();
  return run;
}

Result<std::string> SessionService::session_json(const Caller& caller, const std::string& id) {
  const Result<Shared> live = find(caller, id);
  if (!live) {
    const auto run = recorded(caller, id);
    if (!run) return no_such_session();
    return run->outcome.empty() ? run->submission : run->outcome;
  }
  const std::lock_guard lock((*live)->mutex);
  return (*live)->json_locked();
}

std::string SessionService::list_json(const Caller& caller) {
  const std::lock_guard lock(mutex_);
  std::string text = "{\"sessions\":[";
  for (const auto& [id, live] : sessions_) {
    if (live->caller.id != caller.id) continue;
    const std::lock_guard inner(live->mutex);
    if (text.back() != '[') text += ',';
    text += live->json_locked();
  }
  return text + "]}";
}

void SessionService::put(const Shared& live,
                         std::function<void(engine::WardenAccess&)> work,
                         const std::function<void(const Error&)>& give_up) {
  const Status refused = [&]() -> Status {
    const std::lock_guard lock(live->mutex);
    TRY(live->may_wait_locked());
    live->items.push_back({.work = std::move(work), .give_up = give_up});
    return {};
  }();
  if (!refused) return give_up(refused.error());
  pump(live);
}

// Has a worker take the first item, if there is one and none is being worked on.
void SessionService::pump(const Shared& live) {
  for (;;) {
    {
      const std::lock_guard lock(live->mutex);
      if (live->busy || live->items.empty()) return;
      live->busy = true;
    }
    const auto give_up = [this, live](const Error& error) {
      give_up_first(*live, error);
      pump(live);
    };
    const Status taken = dispatcher_.submit(
        {.caller = live->caller.id,
         .memory = live->plan.stages.run.limits.memory,
         .cpus_milli = live->plan.stages.run.limits.cpus_milli,
         .concurrent = live->concurrent,
         .deadline = sys::now() + settings_.queue_wait,
         .run = [this, live](engine::WardenAccess& access) { work_off(live, access); },
         .give_up = give_up});
    if (taken) return;
    give_up_first(*live, taken.error());
  }
}

void SessionService::give_up_first(LiveSession& live, const Error& error) {
  const LiveSession::Item item = live.take_first();
  if (item.give_up) item.give_up(error);
  release(live);
}

void SessionService::work_off(const Shared& live, engine::WardenAccess& access) {
  const LiveSession::Item item = live->take_first();
  if (item.work) item.work(access);
  release(*live);
  pump(live);
}

// Nobody works on it any more. Whoever sees that it has ended takes it down.
void SessionService::release(LiveSession& live) {
  std::unique_ptr<engine::Session> session;
  std::deque<LiveSession::Item> given_up;
  std::vector<std::function<void()>> gone;
  {
    const std::lock_guard lock(live.mutex);
    live.busy = false;
    if (live.session != nullptr && live.session->is_over()) live.ended = true;
    if (!live.ended) return;
    if (live.why.reason.empty()) live.why = {.by = "died", .reason = "its cell has ended"};
    live.used = sys::now();
    if (live.last.empty()) live.last = live.json_locked();
    session = std::move(live.session);
    given_up.swap(live.items);
    gone.swap(live.gone);
    live.forget_old_locked();
  }
  for (const LiveSession::Item& item : given_up) item.give_up(has_ended(live.why.reason));
  if (session != nullptr) {
    metrics_.count("belljar_sessions_total", "result=\"ended\"");
    session.reset();
    const bool lost = live.why.by == "lost";
    // What the ledger cannot take now it takes as lost after the next start.
    (void)journal_
        .end(*live.entry, {.state = lost ? ledger::State::kLost : ledger::State::kDone,
                           .status = live.why.by,
                           .reason = live.why.reason,
                           .outcome = live.last,
                           .at_ms = unix_ms()})
        .has_value();
  }
  for (const auto& each : gone) each();
}

// ---- Executions ------------------------------------------------------------------------------

Result<screen::Verdict> SessionService::screen(const LiveSession& live,
                                               const ExecutionRequest& request) const {
  const runtime::Manifest& manifest = live.plan.manifest;
  const File code{
      .path = "main" + (manifest.extensions.empty() ? "" : manifest.extensions.front()),
      .content = request.marshalled ? base64_decode(request.code).value_or("") : request.code};
  return runs_.screen(request.screening.empty() ? live.screening : request.screening, manifest.name,
                      {&code, 1}, code.path);
}

// Into what is shown of the session, and to its count; or why not.
Status SessionService::take(LiveSession& live, const Execution& execution, bool refused) {
  const ExecutionRequest& request = execution.request;
  const Status room = may_grow(live);
  const std::lock_guard lock(live.mutex);
  TRY(live.may_execute_locked());
  if (!live.contexts.contains(request.context)) {
    return fail(Code::kNotFound,
                "context: there is no " + quote(request.context) + " in this session");
  }
  if (request.marshalled && live.plan.manifest.session != "python") {
    return fail(Code::kInvalid, "format: \"marshal\" is of Python, and this session is of " +
                                    live.plan.manifest.title);
  }
  const Limits wanted = apply(live.plan.stages.run.limits, request.limits);
  if (const Status within = check_within(wanted, live.rules->maximum); !within) {
    return std::unexpected(in_request_words(within.error()));
  }
  if (!refused) {
    TRY(room);
    ++live.pending;
  }
  live.shown.push_back(execution.live);
  live.forget_old_locked();
  return {};
}

void SessionService::withdraw(LiveSession& live, const Execution& execution, bool refused) {
  const std::lock_guard lock(live.mutex);
  if (!refused) --live.pending;
  std::erase(live.shown, execution.live);
}

Result<Submitted> SessionService::execute(const Caller& caller,
                                          const std::string& id,
                                          ExecutionRequest request,
                                          const ExecuteOptions& options) {
  const auto execution = std::make_shared<Execution>();
  execution->since = sys::now();
  ledger::Run& run = execution->record;
  run.id = make_id("exe");
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
  TRY_ASSIGN(const Shared live, find(caller, id));
  TRY_ASSIGN(const screen::Verdict verdict, screen(*live, request));
  execution->findings = findings_json(verdict);
  run.language = live->plan.manifest.name;
  run.policy = live->policy;
  execution->request = std::move(request);
  execution->live = std::make_shared<LiveRun>(run.id, caller.id);
  // Before the ledger has it: a replay that comes at once must find one to wait for.
  TRY(take(*live, *execution, verdict.refused));
  if (options.answered_at_end && journal_.may_accept_later(caller, run, options.idempotency_key)) {
    journal_.accept_later(execution);
  } else {
    const auto accepted = journal_.accept(caller, {&run, 1}, options.idempotency_key);
    if (!accepted || accepted->answer == ledger::Accepted::Answer::kReplayed) {
      withdraw(*live, *execution, verdict.refused);
      if (!accepted) return std::unexpected(accepted.error());
      return replay(accepted->id);
    }
  }
  const Submitted submitted{.live = execution->live, .id = run.id};
  if (verdict.refused) {
    reject(*execution, verdict);
    return submitted;
  }
  const auto give_up = [this, live, execution](const Error& error) {
    {
      const std::lock_guard lock(live->mutex);
      --live->pending;
    }
    this->give_up(*execution, error);
  };
  put(
      live,
      [this, live, execution, give_up](engine::WardenAccess& /*access*/) {
        if (execution->live->is_cancelled()) {
          return give_up({.code = Code::kUnavailable, .message = "its client went away"});
        }
        perform(*live, *execution);
      },
      give_up);
  return submitted;
}

void SessionService::finish(Execution& execution,
                            ledger::Ending ending,
                            std::optional<Error> error) {
  ending.at_ms = unix_ms();
  std::string text = ending.outcome;
  if (const Status stored = journal_.end(execution, std::move(ending)); !stored && !error) {
    // Nobody was promised anything yet, and now it cannot be kept.
    error = {.code = Code::kUnavailable, .message = stored.error().message};
  }
  execution.live->end(std::move(text), std::move(error));
}

// Nothing of it was executed, so far as is known.
void SessionService::give_up(Execution& execution, const Error& error) {
  const bool cancelled = execution.live->is_cancelled();
  const ledger::State state = cancelled ? ledger::State::kCancelled : ledger::State::kLost;
  json::object object = cut_short(execution.record, state, error.message);
  object["context"] = execution.request.context;
  finish(execution,
         {.state = state,
          .reason = error.message,
          .outcome = escape_json_for_terminal(json_text(object))},
         error);
}

// Refused before anything was executed: an end like another, with what was found.
void SessionService::reject(Execution& execution, const screen::Verdict& verdict) {
  metrics_.count("belljar_refusals_total", "reason=\"screening\"");
  metrics_.count("belljar_session_executions_total", "status=\"rejected\"");
  const engine::Execution none;
  json::object object{{"id", execution.record.id},
                      {"session", execution.record.session},
                      {"context", execution.request.context},
                      {"state", "done"}};
  for (auto& member : to_value(none)) object[member.key()] = std::move(member.value());
  object["status"] = "rejected";
  object["reason"] = repair_utf8(verdict.refusal());
  finish(execution,
         {.state = ledger::State::kDone,
          .status = "rejected",
          .reason = verdict.refusal(),
          .outcome = escape_json_for_terminal(with_results(object, none, execution.findings))},
         std::nullopt);
}

void SessionService::perform(LiveSession& live, Execution& execution) {
  const ExecutionRequest& request = execution.request;
  const Limits limits = belljar::apply(live.plan.stages.run.limits, request.limits);
  {
    const std::lock_guard lock(live.mutex);
    live.current = execution.live.get();
    if (live.ended) live.session->stop();
  }
  (void)journal_.start(execution);
  execution.live->add("status", R"({"state":"running"})");
  const Nanoseconds since = sys::now();
  Recorder recorder(*execution.live);
  // Only a worker changes the pointer, and this is the worker.
  const auto made = live.session->execute(request.context, request.code, request.env, limits,
                                          recorder, request.marshalled);
  const Nanoseconds until = sys::now();
  metrics_.observe("belljar_session_execution_seconds", "", until - since);
  const ledger::State state = made ? ledger::State::kDone : ledger::State::kLost;
  json::object object{{"id", execution.record.id},
                      {"session", live.id},
                      {"context", request.context},
                      {"state", ledger::state_name(state)},
                      {"started_at", format_time(execution.record.started_ms)},
                      {"ended_at", format_time(unix_ms())},
                      {"phases",
                       {{"queue_ms", milliseconds(since - execution.since)},
                        {"run_ms", milliseconds(until - since)}}}};
  if (made) {
    for (auto& member : to_value(*made)) object[member.key()] = std::move(member.value());
  } else {
    object["reason"] = repair_utf8(made.error().message);
  }
  {
    const std::lock_guard lock(live.mutex);
    live.current = nullptr;
    --live.pending;
    live.used = sys::now();
    ++live.executions;
    if (made) live.held = made->usage.peak_memory;
    // Whoever hears how it ended finds the session ended too.
    if (live.session->is_over()) {
      live.ended = true;
      if (live.why.reason.empty()) {
        const bool lost = !made && made.error().code == Code::kUnavailable;
        live.why = {.by = lost ? "lost" : "died",
                    .reason = made ? made->reason : made.error().message};
      }
    }
  }
  const std::string status(made ? engine::to_string(made->status) : "lost");
  metrics_.count("belljar_session_executions_total", "status=\"" + status + "\"");
  finish(execution,
         {.state = state,
          .status = made ? status : "",
          .reason = made ? made->reason : made.error().message,
          .outcome = escape_json_for_terminal(made ? with_results(object, *made, execution.findings)
                                                   : json_text(object))},
         made ? std::nullopt : std::optional(made.error()));
  const std::lock_guard lock(live.mutex);
  live.note_locked();
}

Result<std::shared_ptr<LiveRun>> SessionService::execution(const Caller& caller,
                                                           const std::string& id,
                                                           const std::string& execution) {
  if (const Result<Shared> live = find(caller, id)) {
    const std::lock_guard lock((*live)->mutex);
    const auto known = std::ranges::find_if(
        (*live)->shown, [&](const auto& each) { return each->id() == execution; });
    if (known != (*live)->shown.end()) return *known;
  } else if (!recorded(caller, id)) {
    return no_such_session();
  }
  const auto run = store_.find(execution);
  if (!run || !is_execution(*run) || run->session != id || run->caller != caller.id) {
    return no_such_execution();
  }
  auto over = std::make_shared<LiveRun>(run->id, run->caller);
  over->end(
      run->outcome.empty() ? json_text(cut_short(*run, run->state, run->reason)) : run->outcome,
      std::nullopt);
  return over;
}

Result<std::string> SessionService::executions_json(const Caller& caller,
                                                    const std::string& id,
                                                    std::optional<ledger::State> state,
                                                    std::string_view cursor,
                                                    int limit) {
  if (!find(caller, id) && !recorded(caller, id)) return no_such_session();
  const ledger::Filter filter{.caller = caller.id, .state = state, .session = id};
  TRY_ASSIGN(const ledger::Page page, store_.list(filter, cursor, limit));
  json::array list;
  for (const ledger::Run& run : page.runs) list.push_back(to_value(run));
  json::object object{{"executions", std::move(list)}, {"next", nullptr}};
  if (!page.next.empty()) object["next"] = page.next;
  return escape_json_for_terminal(json_text(object));
}

void SessionService::abandon(const Caller& caller, const std::string& id, LiveRun& execution) {
  execution.cancel();
  const Result<Shared> found = find(caller, id);
  if (!found) return;
  const std::lock_guard lock((*found)->mutex);
  if ((*found)->current == &execution) (*found)->session->interrupt();
}

Status SessionService::interrupt(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const Shared live, find(caller, id));
  const std::lock_guard lock(live->mutex);
  if (live->ended) return std::unexpected(has_ended(live->why.reason));
  if (live->current == nullptr)
    return fail(Code::kConflict, "nothing is executed in this session now");
  live->session->interrupt();
  return {};
}

Status SessionService::interrupt(const Caller& caller,
                                 const std::string& id,
                                 const LiveRun& execution) {
  TRY_ASSIGN(const Shared live, find(caller, id));
  const std::lock_guard lock(live->mutex);
  if (live->current != &execution) return fail(Code::kConflict, "it is not executed now");
  live->session->interrupt();
  return {};
}

Result<std::string> SessionService::pause(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const Shared live, find(caller, id));
  const std::lock_guard lock(live->mutex);
  if (live->ended) return std::unexpected(has_ended(live->why.reason));
  if (live->session == nullptr) return fail(Code::kConflict, "the session has not begun yet");
  if (live->pending > 0) {
    return fail(Code::kConflict,
                "something is executed in this session, or waits: it can be paused after that");
  }
  live->paused = true;
  live->used = sys::now();
  live->note_locked();
  return live->json_locked();
}

Result<std::string> SessionService::resume(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const Shared live, find(caller, id));
  const std::lock_guard lock(live->mutex);
  if (live->ended) return std::unexpected(has_ended(live->why.reason));
  live->paused = false;
  live->used = sys::now();
  live->note_locked();
  return live->json_locked();
}

namespace {

std::string to_json(const engine::Session::FileList& list) {
  json::array files;
  std::size_t omitted = 0;
  for (const auto& file : list.files) {
    if (!check_path(file.path)) {
      ++omitted;
      continue;
    }
    files.push_back({{"path", file.path},
                     {"bytes", file.bytes},
                     {"mime", media_type_of(file.path)},
                     {"modified_at", format_time(file.modified_ms)}});
  }
  return escape_json_for_terminal(json_text(
      json::object{{"files", std::move(files)}, {"omitted", omitted}, {"truncated", list.more}}));
}

Result<std::string> done_with_files(engine::Session& session,
                                    const SessionService::FileWish& wish,
                                    std::uint64_t most) {
  json::object object{{"path", wish.path}};
  switch (wish.action) {
    case SessionService::FileAction::kList: {
      TRY_ASSIGN(const auto list, session.list_files());
      return to_json(list);
    }
    case SessionService::FileAction::kRead:
      return session.read_file(wish.path, most);
    case SessionService::FileAction::kWrite:
      TRY(session.write_file(wish.path, wish.content));
      object["bytes"] = wish.content.size();
      object["mime"] = media_type_of(wish.path);
      break;
    case SessionService::FileAction::kRemove:
      TRY(session.remove_file(wish.path));
      break;
  }
  return escape_json_for_terminal(json_text(object));
}

}  // namespace

void SessionService::use_files(const Caller& caller,
                               const std::string& id,
                               FileWish wish,
                               const Answer& answer) {
  const auto found = [&]() -> Result<Shared> {
    TRY_ASSIGN(const Shared live, find(caller, id));
    if (wish.action != FileAction::kList) TRY(check_path(wish.path));
    if (wish.action == FileAction::kWrite) TRY(may_grow(*live));
    return live;
  }();
  if (!found) return answer(std::unexpected(found.error()));
  put(
      *found,
      [live = *found, wish = std::move(wish), answer](engine::WardenAccess& /*access*/) {
        auto done = done_with_files(*live->session, wish, live->plan.stages.run.limits.artifacts);
        {
          const std::lock_guard lock(live->mutex);
          live->used = sys::now();
          if (done && wish.action == FileAction::kWrite) live->held += wish.content.size();
        }
        answer(std::move(done));
      },
      [answer](const Error& error) { answer(std::unexpected(error)); });
}

void SessionService::change_context(const Caller& caller,
                                    const std::string& id,
                                    ContextChange change,
                                    const std::string& context,
                                    const Answer& answer,
                                    const std::string& cwd) {
  const Result<Shared> found = find(caller, id);
  if (!found) return answer(std::unexpected(found.error()));
  const Shared& live = *found;
  const auto refused = [&]() -> Status {
    const std::lock_guard lock(live->mutex);
    TRY(live->may_execute_locked());
    const bool known = live->contexts.contains(context);
    if (change == ContextChange::kCreate && known) {
      return fail(Code::kConflict, "name: there is a context " + quote(context) + " already");
    }
    if (change == ContextChange::kCreate && live->contexts.size() >= kMostContexts) {
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
  }();
  if (!refused) return answer(std::unexpected(refused.error()));
  put(
      live,
      [live, change, context, answer, cwd](engine::WardenAccess& /*access*/) {
        const auto done = live->session->change_context(driver_op(change), context, cwd);
        answer([&]() -> Result<std::string> {
          const std::lock_guard lock(live->mutex);
          live->used = sys::now();
          if (!done) return std::unexpected(done.error());
          if (done->status != engine::ExecutionStatus::kOk) {
            if (done->reason.starts_with("cwd: ")) return fail(Code::kInvalid, done->reason);
            return fail(Code::kUnavailable, "the interpreter did not do it: " + done->reason);
          }
          if (change == ContextChange::kCreate) live->contexts.insert(context);
          if (change == ContextChange::kRemove) live->contexts.erase(context);
          live->note_locked();
          return live->json_locked();
        }());
      },
      [answer](const Error& error) { answer(std::unexpected(error)); });
}

void SessionService::quit(const Caller& caller, const std::string& id, const Answer& answer) {
  const Result<Shared> found = find(caller, id);
  if (!found) return answer(std::unexpected(found.error()));
  end(**found, {.by = "quit", .reason = "quit"}, [live = *found, answer] {
    std::string text;
    {
      const std::lock_guard lock(live->mutex);
      text = live->json_locked();
    }
    answer(std::move(text));
  });
}

// What waits is given up, what is executed is ended with its cell; `gone` is called when nothing of
// it is left.
void SessionService::end(LiveSession& live, End why, std::function<void()> gone) {
  {
    const std::lock_guard lock(live.mutex);
    if (live.why.reason.empty()) live.why = std::move(why);
    live.ended = true;
    if (gone) live.gone.push_back(std::move(gone));
    if (live.busy) {
      if (live.session != nullptr) live.session->stop();
      return;
    }
    live.busy = true;
  }
  release(live);
}

void SessionService::watch(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock waiting(mutex);
  while (!stop.stop_requested()) {
    const Nanoseconds now = sys::now();
    std::vector<std::pair<Shared, End>> due;
    std::vector<Shared> forgotten;  // let go of after every lock
    {
      const std::lock_guard lock(mutex_);
      std::size_t ended = 0;
      // The youngest first: ids sort by time.
      for (auto at = sessions_.end(); at != sessions_.begin();) {
        --at;
        const Shared live = at->second;
        const std::lock_guard inner(live->mutex);
        if (live->ended && (++ended > kMostEnded || now - live->used > kShownAfterEnd)) {
          forgotten.push_back(live);
          at = sessions_.erase(at);
          continue;
        }
        // An interrupt may come too early, or be caught: as long as it is executed there is
        // another.
        if (live->current != nullptr && live->current->is_cancelled()) live->session->interrupt();
        if (live->ended) continue;
        if (now >= live->deadline) {
          const std::string ttl = format_duration(live->ttl);
          due.emplace_back(live,
                           End{.by = "ttl", .reason = "its time to live of " + ttl + " is over"});
        } else if (live->busy || live->session == nullptr) {
          continue;
        } else if (!live->paused && now - live->used >= live->idle) {
          const std::string idle = format_duration(live->idle);
          due.emplace_back(live, End{.by = "idle", .reason = "nothing was executed for " + idle});
        } else if (const auto heard = live->session->heard_end()) {
          // Said at once: what is asked of it meanwhile has no better reason.
          live->why = {.by = heard->with_warden ? "lost" : "died", .reason = heard->reason};
          due.emplace_back(live, live->why);
        }
      }
    }
    forget_spares(now);
    for (auto& [live, why] : due) end(*live, std::move(why), {});
    woken.wait_for(waiting, stop, std::chrono::milliseconds(500), [] { return false; });
  }
}

}  // namespace belljar::api
