#include "api/run_service.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <thread>

#include "api/json_reader.h"
#include "api/request_fields.h"
#include "api/webhook_url.h"
#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"
#include "engine/archive.h"
#include "model/builtin_policies.h"
#include "model/json_text.h"
#include "screen/sanitizer.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

// What streams that come late may still see of runs that are over.
constexpr std::size_t kMostEnded = 500;
constexpr std::size_t kMostEndedBytes = 16 * kMiB;
// After this a run that is to be recorded with its end is recorded without it, so that a list shows
// it and a crash does not lose it.
constexpr Nanoseconds kLate = std::chrono::milliseconds(100);

json::value time_or_null(std::int64_t unix_milliseconds) {
  if (unix_milliseconds == 0) return nullptr;
  return json::value(format_time(unix_milliseconds));
}

// What happens in the cell, onto the run's list of events.
class Recorder : public engine::Observer {
 public:
  explicit Recorder(LiveRun& live) : live_(live) {}
  void on_stage(StageKind stage) override {
    live_.add("status", json_text(json::object{{"state", "running"}, {"stage", to_string(stage)}}));
  }
  void on_output(StageKind stage, engine::OutputStream stream, std::string_view bytes) override {
    // A compiler's words are not the program's output; they come with the outcome.
    if (stage == StageKind::kRun) {
      told_ = true;
      live_.add_output(stream, bytes);
    }
  }
  [[nodiscard]] bool told() const { return told_; }

 private:
  LiveRun& live_;
  bool told_ = false;
};

engine::Input engine_input(const RunInput& input, const std::string& bytes) {
  engine::Input made;
  switch (input.kind) {
    case RunInput::Kind::kBytes:
      made.kind = bytes.empty() ? engine::Input::Kind::kEmpty : engine::Input::Kind::kBytes;
      made.bytes = bytes;
      break;
    case RunInput::Kind::kPipe:
      made.kind = engine::Input::Kind::kDescriptor;
      made.fd = input.pipe->get();
      break;
    case RunInput::Kind::kTerminal:
      made.kind = engine::Input::Kind::kTerminal;
      made.fd = input.pipe->get();
      break;
  }
  return made;
}

const std::map<std::string, Policy, std::less<>>& builtin_policies() {
  static const auto policies = [] {
    std::map<std::string, Policy, std::less<>> made;
    for (const std::string_view name : builtin_policy_names()) {
      if (auto policy = builtin_policy(name)) made.emplace(name, *std::move(policy));
    }
    return made;
  }();
  return policies;
}

const std::map<std::string, screen::RuleSet, std::less<>>& rule_sets() {
  static const auto sets = [] {
    std::map<std::string, screen::RuleSet, std::less<>> made;
    for (const std::string_view name : screen::builtin_rules_names()) {
      if (auto rules = screen::builtin_rules(name)) made.emplace(name, *std::move(rules));
    }
    return made;
  }();
  return sets;
}

json::array to_value(const std::vector<screen::Finding>& findings) {
  json::array list;
  for (const screen::Finding& each : findings) {
    list.push_back({{"rule", each.rule},
                    {"path", repair_utf8(each.path)},
                    {"line", each.line},
                    {"column", each.column},
                    {"reason", repair_utf8(each.reason)},
                    {"text", repair_utf8(each.text)}});
  }
  return list;
}

// Empty where nothing was found.
std::string findings_json(const screen::Verdict& verdict) {
  if (verdict.findings.empty() && verdict.syntax_errors.empty() && verdict.not_analysed.empty()) {
    return {};
  }
  return escape_json_for_terminal(
      json_text(json::object{{"refused", verdict.refused},
                             {"findings", to_value(verdict.findings)},
                             {"syntax_errors", to_value(verdict.syntax_errors)},
                             {"not_analysed", to_value(verdict.not_analysed)}}));
}

// Members of the outcome's object.
std::string judgement(const RunRequest& request, const Outcome& outcome) {
  std::optional<engine::OutputDifference> found;
  if (outcome.status == RunStatus::kOk) {
    found = engine::first_difference(*request.expected, outcome.stages.back().out.data,
                                     request.compare);
  }
  json::value difference;
  if (found) difference = repair_utf8(engine::to_string(*found));
  return ",\"verdict\":" +
         json_text(json::value(engine::verdict_name(outcome.status, found.has_value()))) +
         ",\"difference\":" + json_text(difference);
}

void make_plain(Outcome& outcome) {
  for (StageOutcome& stage : outcome.stages) {
    for (Stream* const stream : {&stage.out, &stage.err}) {
      stream->data = screen::sanitize(stream->data, {});
    }
  }
}

// Somebody else's run is not told apart from none.
std::unexpected<Error> no_such_run() {
  return fail(Code::kNotFound, "there is no run of this id");
}

std::unexpected<Error> used_otherwise() {
  return fail(Code::kDenied, "idempotency_key: it was used for another request before");
}

std::unexpected<Error> forgotten() {
  return fail(Code::kDenied, "idempotency_key: runs of that batch are kept no more");
}

bool is_of(const Caller& caller, const std::string& owner) {
  return owner == caller.id || caller.may("admin");
}

void apply(const ledger::Ending& ending, ledger::Run& run) {
  run.state = ending.state;
  run.status = ending.status;
  run.reason = ending.reason;
  run.outcome = ending.outcome;
  run.finished_ms = ending.at_ms;
}

// A warden that goes away takes what it had begun with it: the next one gets it from the start,
// unless somebody has seen of it. More than once, because a dying warden's sockets close one after
// the other, and the last of them still takes a request.
template <typename Body>
Result<Outcome> with_warden(engine::WardenAccess& access, const bool& told, const Body& body) {
  constexpr int kMostAttempts = 5;
  for (int attempt = 1;; ++attempt) {
    Result<Outcome> outcome = body();
    if (outcome || outcome.error().code != Code::kUnavailable) return outcome;
    access.drop();
    if (told || attempt == kMostAttempts) return outcome;
    std::this_thread::sleep_for(attempt * std::chrono::milliseconds(20));
  }
}

}  // namespace

std::string to_json(const ledger::Run& run) {
  json::object object{{"id", run.id},
                      {"state", ledger::state_name(run.state)},
                      {"language", run.language},
                      {"policy", run.policy},
                      {"created_at", time_or_null(run.created_ms)},
                      {"started_at", time_or_null(run.started_ms)},
                      {"finished_at", time_or_null(run.finished_ms)},
                      {"attempts", run.attempts}};
  object["batch"] = run.batch.empty() ? json::value(nullptr) : json::value(run.batch);
  object["status"] = run.status.empty() ? json::value(nullptr) : json::value(run.status);
  object["reason"] = repair_utf8(run.reason);
  std::string text = json_text(object);
  // The outcome is JSON already, and may be large.
  text.pop_back();
  return text + ",\"outcome\":" + (run.outcome.empty() ? "null" : run.outcome) + "}";
}

RunService::RunService(const Settings& settings,
                       const runtime::Catalog& catalog,
                       ledger::Store& store,
                       engine::Dispatcher& dispatcher,
                       Metrics& metrics,
                       engine::Reuse reuse)
    : settings_(settings),
      catalog_(catalog),
      store_(store),
      dispatcher_(dispatcher),
      metrics_(metrics),
      reuse_(std::move(reuse)),
      late_recorder_([this](const std::stop_token& stop) { record_late_ones(stop); }) {}

Result<const Policy*> RunService::policy(const std::string& name) const {
  const std::string& wanted = name.empty() ? settings_.policy : name;
  const auto found = builtin_policies().find(wanted);
  if (found == builtin_policies().end()) {
    std::string names;
    for (const auto& [each, policy] : builtin_policies())
      names += (names.empty() ? "" : ", ") + each;
    return fail(Code::kInvalid, "policy: there is no " + quote(wanted) + "; there are " + names);
  }
  return &found->second;
}

Result<RunService::Checked> RunService::check(const Caller& caller,
                                              RunRequest request,
                                              const SubmitOptions& options) {
  Checked checked;
  checked.work = std::make_shared<Work>();
  Work& work = *checked.work;
  work.since = sys::now();
  TRY_ASSIGN(work.policy, policy(request.policy));
  request.policy = work.policy->name;
  Submission& submission = request.submission;
  if (!submission.language.empty()) {
    const auto known = catalog_.by_name(submission.language);
    if (!known) return fail(Code::kInvalid, "language: " + known.error().message);
  }
  if (submission.files.size() == 1 && submission.files.front().path.empty()) {
    TRY_ASSIGN(const runtime::Manifest manifest, catalog_.by_name(submission.language));
    submission.files.front().path =
        !manifest.entries.empty()
            ? manifest.entries.front()
            : "main" + (manifest.extensions.empty() ? "" : manifest.extensions.front());
    submission.entry = submission.files.front().path;
  }
  if (!request.webhook.empty()) {
    TRY_ASSIGN(const WebhookRules rules, webhook_rules(settings_));
    const auto url = check_webhook_url(rules, request.webhook);
    if (!url) return fail(Code::kInvalid, "webhook: " + url.error().message);
    work.record.webhook = url->text();
  }
  if (!submission.entry.empty()) {
    if (const Status good = check_path(submission.entry); !good) {
      return std::unexpected(good.error().context("entry"));
    }
  }
  auto plan = engine::plan_submission(catalog_, *work.policy, submission);
  if (!plan) return std::unexpected(in_request_words(std::move(plan).error()));
  checked.plan = *std::move(plan);
  TRY_ASSIGN(checked.verdict, screen(request, checked.plan));
  work.findings = findings_json(checked.verdict);
  work.request = std::move(request);
  work.input = options.input;
  work.keep_outcome = options.keep_outcome;

  ledger::Run& record = work.record;
  record.id = make_id("run");
  record.caller = caller.id;
  record.batch = options.batch;
  record.language = checked.plan.manifest.name;
  record.policy = work.policy->name;
  record.submission = to_json(work.request);
  record.created_ms = unix_ms();
  return checked;
}

Result<ledger::Accepted> RunService::record(const Caller& caller,
                                            std::span<const ledger::Run> runs,
                                            const std::string& idempotency_key) {
  std::vector<ledger::Quota> quotas;
  if (caller.key) {
    quotas.push_back({.subject = caller.key->id, .per_day = caller.key->limits.runs_per_day});
  }
  auto accepted = store_.accept(runs, idempotency_key, quotas);
  if (!accepted) {
    // A ledger that cannot be written takes nothing on: the client may come again.
    ledger_failed_ = true;
    Error error = std::move(accepted).error();
    if (error.code == Code::kExhausted) error.code = Code::kUnavailable;
    return std::unexpected(std::move(error));
  }
  ledger_failed_ = false;
  if (accepted->answer == ledger::Accepted::Answer::kConflict) {
    return used_otherwise();
  }
  if (accepted->answer == ledger::Accepted::Answer::kOverQuota) {
    return fail(Code::kExhausted, runs.size() == 1 ? "the runs of this day are used up"
                                                   : "not so many runs of this day are left");
  }
  return accepted;
}

// From here on its clients can see it.
void RunService::begin(Work& work) {
  work.live = std::make_shared<LiveRun>(work.record.id, work.record.caller);
  work.live->add("status", json_text(json::object{{"state", "queued"}, {"id", work.record.id}}));
  const std::lock_guard lock(mutex_);
  live_[work.record.id] = work.live;
}

void RunService::forget(const std::string& id) {
  const std::lock_guard lock(mutex_);
  live_.erase(id);
}

Result<Submitted> RunService::submit(const Caller& caller,
                                     RunRequest request,
                                     const SubmitOptions& options) {
  TRY_ASSIGN(const Checked checked, check(caller, std::move(request), options));
  const std::shared_ptr<Work> work = checked.work;
  engine::Job job = job_for(caller, checked.plan, options);
  // Looked at before anything is written: a flood of refusals must not become a flood of writes.
  if (!checked.verdict.refused) TRY(dispatcher_.check(job));
  // Before the ledger has it: a replay that comes at once must find a run to wait for.
  begin(*work);
  if (may_record_later(caller, *work, options)) {
    record_later(work);
  } else {
    const auto accepted = record(caller, {&work->record, 1}, options.idempotency_key);
    if (!accepted || accepted->answer == ledger::Accepted::Answer::kReplayed) {
      forget(work->record.id);
      if (!accepted) return std::unexpected(accepted.error());
      TRY_ASSIGN(const ledger::Run first, store_.find(accepted->id));
      if (!first.batch.empty()) return used_otherwise();
      const auto known = live(caller, accepted->id);
      return Submitted{.live = known ? *known : nullptr, .id = accepted->id, .replayed = true};
    }
  }
  Submitted submitted{.live = work->live, .id = work->record.id};
  if (checked.verdict.refused) {
    reject(*work, checked.verdict);
    return submitted;
  }
  job.run = [this, work](engine::WardenAccess& access) { run(*work, access); };
  job.give_up = [this, work](const Error& error) { give_up(*work, error); };
  if (const Status queued = dispatcher_.submit(std::move(job)); !queued) {
    fail_run(*work, queued.error());
    return std::unexpected(queued.error());
  }
  return submitted;
}

// ---- Recorded with the end -------------------------------------------------------------------

// Where the answer at the end is the first word about a run, a record before it would promise
// something to nobody. A key promises that a repetition finds the run, a webhook that somebody is
// told, a quota is counted by the ledger.
bool RunService::may_record_later(const Caller& caller,
                                  const Work& work,
                                  const SubmitOptions& options) const {
  return options.answered_at_end && options.idempotency_key.empty() &&
         work.record.webhook.empty() && (!caller.key || caller.key->limits.runs_per_day == 0) &&
         !ledger_failed_;
}

void RunService::record_later(const std::shared_ptr<Work>& work) {
  work->recording = std::make_shared<Recording>();
  bool first = false;
  {
    const std::lock_guard lock(late_mutex_);
    first = late_.empty();
    late_.emplace_back(sys::now(), work);
  }
  if (first) late_changed_.notify_one();
}

void RunService::record_late_ones(const std::stop_token& stop) {
  std::unique_lock lock(late_mutex_);
  while (late_changed_.wait(lock, stop, [this] { return !late_.empty(); }) &&
         !stop.stop_requested()) {
    // Looked at in intervals, not one by one: most are over by then.
    late_changed_.wait_for(lock, stop, kLate, [] { return false; });
    std::vector<std::shared_ptr<Work>> works;
    while (!late_.empty() && late_.front().first + kLate <= sys::now()) {
      if (auto work = late_.front().second.lock()) works.push_back(std::move(work));
      late_.pop_front();
    }
    lock.unlock();
    std::erase_if(works, [this](const auto& each) { return record_now(*each).has_value(); });
    // What could not be settled is told by the next record.
    (void)store_.settle().has_value();
    lock.lock();
    // A ledger that cannot be written is asked again.
    for (auto& each : works) late_.emplace_back(sys::now(), std::move(each));
  }
}

Status RunService::record_now(Work& work) {
  const std::lock_guard lock(work.recording->mutex);
  if (work.recording->done) return {};
  TRY_ASSIGN(const ledger::Accepted accepted, store_.accept(work.record));
  work.recording->done = true;
  if (work.record.started_ms != 0) TRY(store_.started(accepted.id, work.record.started_ms));
  return {};
}

// ---- Batches ---------------------------------------------------------------------------------

Result<ledger::Accepted> RunService::record_all(const Caller& caller,
                                                std::span<const std::shared_ptr<Work>> works,
                                                const std::string& idempotency_key) {
  // Records of one moment are listed by their ids: so the order of the request is kept.
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < works.size(); ++i) ids.push_back(make_id("run"));
  std::ranges::sort(ids);
  std::vector<ledger::Run> records;
  for (std::size_t i = 0; i < works.size(); ++i) {
    works[i]->record.id = ids[i];
    works[i]->record.created_ms = works.front()->record.created_ms;
    begin(*works[i]);
    records.push_back(works[i]->record);
  }
  auto accepted = record(caller, records, idempotency_key);
  if (!accepted || accepted->answer == ledger::Accepted::Answer::kReplayed) {
    for (const std::string& each : ids) forget(each);
  }
  return accepted;
}

// `batch` has the entries that the same request came to now; the ledger has the ids.
Result<RunService::Batch> RunService::replay(const Caller& caller,
                                             const std::string& first,
                                             Batch batch) {
  TRY_ASSIGN(const ledger::Run run, store_.find(first));
  if (run.batch.empty()) return used_otherwise();
  const ledger::Filter filter{.caller = caller.id, .batch = run.batch};
  TRY_ASSIGN(ledger::Page page, store_.list(filter, "", ledger::kMaxPage));
  batch.id = run.batch;
  batch.replayed = true;
  for (Batch::Entry& each : batch.runs) {
    if (!each.refusal.empty()) continue;
    if (page.runs.empty()) return forgotten();
    each.id = std::move(page.runs.back().id);  // newest first
    page.runs.pop_back();
  }
  if (!page.runs.empty()) return forgotten();
  return batch;
}

Result<RunService::Batch> RunService::submit_programs(const Caller& caller,
                                                      std::vector<RunRequest> programs,
                                                      SubmitOptions options) {
  Batch batch{.id = make_id("batch"), .runs = {}};
  options.batch = batch.id;
  std::vector<Checked> taken;
  for (RunRequest& each : programs) {
    auto checked = check(caller, std::move(each), options);
    Status good = checked ? Status() : Status(std::unexpected(checked.error()));
    if (good) {
      good = dispatcher_.check(job_for(caller, checked->plan, options));
      // Whether there is room is asked for all of them together.
      if (!good && good.error().code != Code::kInvalid) good = {};
    }
    batch.runs.push_back({.id = {}, .refusal = good ? "" : good.error().message});
    if (good) taken.push_back(*std::move(checked));
  }
  if (taken.empty()) return batch;
  TRY(dispatcher_.check(job_for(caller, taken.front().plan, options), taken.size()));
  std::vector<std::shared_ptr<Work>> works;
  for (const Checked& each : taken) works.push_back(each.work);
  TRY_ASSIGN(const ledger::Accepted accepted, record_all(caller, works, options.idempotency_key));
  if (accepted.answer == ledger::Accepted::Answer::kReplayed) {
    return replay(caller, accepted.id, std::move(batch));
  }
  auto next = taken.begin();
  for (Batch::Entry& each : batch.runs) {
    if (!each.refusal.empty()) continue;
    const std::shared_ptr<Work> work = next->work;
    each.id = work->record.id;
    if (next->verdict.refused) {
      reject(*work, next->verdict);
    } else {
      engine::Job job = job_for(caller, next->plan, options);
      job.run = [this, work](engine::WardenAccess& access) { run(*work, access); };
      job.give_up = [this, work](const Error& error) { give_up(*work, error); };
      // There was room a moment ago; where somebody else took it, this run is lost, and says so.
      const Status queued = dispatcher_.submit(std::move(job));
      if (!queued) fail_run(*work, queued.error());
    }
    ++next;
  }
  return batch;
}

Result<RunService::Batch> RunService::submit_inputs(const Caller& caller,
                                                    const RunRequest& program,
                                                    std::vector<BatchInput> inputs,
                                                    SubmitOptions options) {
  Batch batch{.id = make_id("batch"), .runs = {}};
  options.batch = batch.id;
  TRY_ASSIGN(const Checked first, check(caller, program, options));
  engine::Job job = job_for(caller, first.plan, options);
  if (!first.verdict.refused) TRY(dispatcher_.check(job));
  std::vector<std::shared_ptr<Work>> works;
  for (BatchInput& each : inputs) {
    auto work = std::make_shared<Work>(*first.work);
    work->request.input = std::move(each.input);
    work->request.expected = std::move(each.expected);
    work->record.submission = to_json(work->request);
    works.push_back(std::move(work));
  }
  TRY_ASSIGN(const ledger::Accepted accepted, record_all(caller, works, options.idempotency_key));
  batch.runs.resize(works.size());
  if (accepted.answer == ledger::Accepted::Answer::kReplayed) {
    return replay(caller, accepted.id, std::move(batch));
  }
  for (std::size_t i = 0; i < works.size(); ++i) {
    batch.runs[i].id = works[i]->record.id;
    if (first.verdict.refused) reject(*works[i], first.verdict);
  }
  if (first.verdict.refused) return batch;
  job.run = [this, works](engine::WardenAccess& access) { run_all(works, access); };
  job.give_up = [this, works](const Error& error) {
    for (const auto& work : works) give_up(*work, error);
  };
  if (const Status queued = dispatcher_.submit(std::move(job)); !queued) {
    for (const auto& work : works) fail_run(*work, queued.error());
    return std::unexpected(queued.error());
  }
  return batch;
}

Status RunService::unpack(const Caller& caller,
                          std::string archive,
                          const std::function<void(Result<std::vector<File>>)>& done) {
  engine::Job job{.caller = caller.id,
                  .memory = Limits().memory,
                  .cpus_milli = Limits().cpus_milli,
                  .deadline = sys::now() + settings_.queue_wait};
  job.run = [archive = std::move(archive), done](engine::WardenAccess& access) {
    done([&]() -> Result<std::vector<File>> {
      TRY_ASSIGN(warden::Client* const client, access.client());
      auto files = engine::unpack(*client, archive);
      if (!files && files.error().code == Code::kUnavailable) access.drop();
      return files;
    }());
  };
  job.give_up = [done](const Error& error) { done(std::unexpected(error)); };
  return dispatcher_.submit(std::move(job));
}

engine::Job RunService::job_for(const Caller& caller,
                                const engine::Plan& plan,
                                const SubmitOptions& options) const {
  Limits most = plan.stages.run.limits;
  if (plan.stages.compile) {
    most.memory = std::max(most.memory, plan.stages.compile->limits.memory);
    most.cpus_milli = std::max(most.cpus_milli, plan.stages.compile->limits.cpus_milli);
  }
  std::uint64_t concurrent =
      options.concurrent > 0 ? options.concurrent : settings_.concurrent_per_caller;
  if (caller.key && caller.key->limits.concurrent > 0) {
    concurrent = static_cast<std::uint64_t>(caller.key->limits.concurrent);
  }
  const Nanoseconds patience =
      options.patience > Nanoseconds{} ? options.patience : settings_.queue_wait;
  return {.caller = caller.id,
          .memory = most.memory,
          .cpus_milli = most.cpus_milli,
          .concurrent = concurrent,
          .deadline = sys::now() + patience};
}

Result<screen::Verdict> RunService::screen(const RunRequest& request,
                                           const engine::Plan& plan) const {
  const std::string& name = request.screening.empty() ? settings_.screening : request.screening;
  if (name == "none") return screen::Verdict();
  const auto rules = rule_sets().find(name);
  if (rules == rule_sets().end()) {
    std::string names = "none";
    for (const auto& [each, set] : rule_sets()) names += ", " + each;
    return fail(Code::kInvalid, "screening: there is no " + quote(name) + "; there are " + names);
  }
  return screen::screen(rules->second, plan.manifest.name, request.submission.files,
                        plan.stages.entry);
}

// Refused before any cell was made: an outcome like another, with what was found.
void RunService::reject(Work& work, const screen::Verdict& verdict) {
  metrics_.count("belljar_refusals_total", "reason=\"screening\"");
  Outcome outcome;
  outcome.status = RunStatus::kRejected;
  outcome.reason = verdict.refusal();
  outcome.language = work.record.language;
  outcome.policy = work.record.policy;
  finish(work, outcome);
}

// False where it has ended already: cancelled in the queue, and whoever did that has told it.
bool RunService::start(Work& work) {
  work.queued = sys::now() - work.since;
  std::unique_lock<std::mutex> lock;
  if (work.recording) lock = std::unique_lock(work.recording->mutex);
  work.record.started_ms = unix_ms();
  if (work.recording && !work.recording->done) {
    ++work.record.attempts;
    return true;
  }
  const auto started = store_.started(work.record.id, work.record.started_ms);
  if (started && *started == ledger::Change::kHadEnded) return false;
  ++work.record.attempts;
  return true;
}

void RunService::run(Work& work, engine::WardenAccess& access) {
  if (!start(work)) return;
  bool told = false;
  Result<Outcome> outcome = with_warden(access, told, [&] { return execute(work, access, told); });
  if (outcome) {
    finish(work, *std::move(outcome));
  } else {
    fail_run(work, outcome.error());
  }
}

// Compiled once, for the first that has not been cancelled.
void RunService::run_all(std::span<const std::shared_ptr<Work>> works,
                         engine::WardenAccess& access) {
  std::optional<engine::Prepared> prepared;
  for (const auto& each : works) {
    Work& work = *each;
    if (!start(work)) continue;
    bool told = false;
    const auto outcome = with_warden(access, told, [&]() -> Result<Outcome> {
      TRY_ASSIGN(warden::Client* const client, access.client());
      TRY_ASSIGN(const Fd control, work.live->open_control());
      engine::Engine engine(*client, catalog_, *work.policy, reuse_for(work));
      engine::Input input = engine_input(work.input, work.request.input);
      input.control_fd = control.get();
      Recorder recorder(*work.live);
      if (!prepared) {
        TRY_ASSIGN(prepared, engine.prepare(work.request.submission, input, recorder));
      }
      if (!prepared->runnable) {
        Outcome compiled = prepared->outcome;
        // Cancelled was this run alone; the next one compiles again.
        if (compiled.status == RunStatus::kCancelled) prepared.reset();
        return compiled;
      }
      Result<Outcome> ran = engine.run(*prepared, input, recorder);
      told = recorder.told();
      return ran;
    });
    if (outcome) {
      finish(work, *outcome);
    } else {
      fail_run(work, outcome.error());
    }
  }
}

// What one caller has compiled is never another's, keys of one person included.
engine::Reuse RunService::reuse_for(const Work& work) const {
  engine::Reuse reuse = reuse_;
  reuse.tenant = work.record.caller;
  return reuse;
}

Result<Outcome> RunService::execute(Work& work, engine::WardenAccess& access, bool& told) {
  TRY_ASSIGN(warden::Client* const client, access.client());
  TRY_ASSIGN(const Fd control, work.live->open_control());
  engine::Engine engine(*client, catalog_, *work.policy, reuse_for(work));
  engine::Input input = engine_input(work.input, work.request.input);
  input.control_fd = control.get();
  Recorder recorder(*work.live);
  Result<Outcome> outcome = engine.execute(work.request.submission, input, recorder);
  told = recorder.told();
  return outcome;
}

void RunService::finish(Work& work, Outcome outcome) {
  if (!outcome.stages.empty()) outcome.stages.front().phases.queue = work.queued;
  metrics_.outcome(outcome);
  const bool cancelled = outcome.status == RunStatus::kCancelled;
  const std::string verdict = work.request.expected ? judgement(work.request, outcome) : "";
  if (work.request.output == "plain") make_plain(outcome);
  std::string text =
      to_json(outcome, work.request.output == "base64" ? Base64::kAlways : Base64::kWhereNeeded);
  text.pop_back();
  if (!work.findings.empty()) text += ",\"screening\":" + work.findings;
  text += verdict + "}";
  const RunStatus status = outcome.status;
  std::string reason = outcome.reason;
  close(work,
        {.state = cancelled ? ledger::State::kCancelled : ledger::State::kDone,
         .status = std::string(to_string(status)),
         .reason = std::move(reason),
         .outcome = std::move(text),
         .notice = {},
         .at_ms = unix_ms()},
        std::nullopt, std::make_shared<const Outcome>(std::move(outcome)));
}

// It was accepted, and what stops is only this process: the next one finds it in the ledger.
void RunService::give_up(Work& work, const Error& error) {
  if (error.code != Code::kUnavailable) return fail_run(work, error);
  work.live->end(to_json(work.record), error);
}

// Belljar could not do its part.
void RunService::fail_run(Work& work, const Error& error) {
  metrics_.count("belljar_refusals_total",
                 error.code == Code::kExhausted ? "reason=\"queue\"" : "reason=\"error\"");
  close(work,
        {.state = work.live->is_cancelled() ? ledger::State::kCancelled : ledger::State::kLost,
         .status = "rejected",
         .reason = error.message,
         .outcome = {},
         .notice = {},
         .at_ms = unix_ms()},
        error);
}

void RunService::close(Work& work,
                       const ledger::Ending& ending,
                       std::optional<Error> error,
                       std::shared_ptr<const Outcome> outcome) {
  const std::span<const File> artifacts =
      outcome ? std::span<const File>(outcome->artifacts) : std::span<const File>();
  std::unique_lock<std::mutex> lock;
  if (work.recording) lock = std::unique_lock(work.recording->mutex);
  apply(ending, work.record);
  const std::string text = to_json(work.record);
  ledger::Ending recorded = ending;
  if (!work.record.webhook.empty()) recorded.notice = text;
  if (const Status stored = store_end(work, recorded, artifacts); !stored && !error) {
    // Nobody was promised anything yet, and now it cannot be kept.
    error = {.code = Code::kUnavailable, .message = stored.error().message};
  }
  if (lock) lock.unlock();
  if (!work.keep_outcome) outcome.reset();
  work.live->end(text, std::move(error), std::move(outcome));
  keep(work.live);
}

Status RunService::store_end(Work& work,
                             const ledger::Ending& ending,
                             std::span<const File> artifacts) {
  if (work.recording && !work.recording->done) {
    const auto stored = store_.record(work.record, ending, artifacts);
    ledger_failed_ = !stored;
    if (!stored) return std::unexpected(stored.error());
    work.recording->done = true;
    return {};
  }
  // The outcome still tells of artifacts that a full disk did not keep.
  if (!artifacts.empty()) (void)store_.put_artifacts(work.record.id, artifacts).has_value();
  // Where the ledger cannot be written now, the run stays unfinished in it, and the next start runs
  // it again: at least once is the promise. Its client gets the answer all the same.
  (void)store_.finished(work.record.id, ending).has_value();
  return {};
}

void RunService::keep(const std::shared_ptr<LiveRun>& live) {
  const std::lock_guard lock(mutex_);
  ended_bytes_ += live->bytes();
  ended_.push_back(live);
  while (ended_.size() > kMostEnded || ended_bytes_ > kMostEndedBytes) {
    ended_bytes_ -= ended_.front()->bytes();
    live_.erase(ended_.front()->id());
    ended_.pop_front();
  }
}

Result<std::shared_ptr<LiveRun>> RunService::live(const Caller& caller, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(id);
  if (found == live_.end() || !is_of(caller, found->second->caller())) return no_such_run();
  return found->second;
}

Result<ledger::Run> RunService::find(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(ledger::Run run, store_.find(id));
  if (!is_of(caller, run.caller)) return no_such_run();
  return run;
}

Result<std::string> RunService::run_json(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const ledger::Run run, find(caller, id));
  return to_json(run);
}

Status RunService::cancel(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const ledger::Run run, find(caller, id));
  if (ledger::has_ended(run.state)) return fail(Code::kDenied, "the run has ended");
  const auto found = live(caller, id);
  if (!found) return {};
  (*found)->cancel();
  if (run.state != ledger::State::kQueued) return {};
  ledger::Ending ending{.state = ledger::State::kCancelled,
                        .status = std::string(to_string(RunStatus::kCancelled)),
                        .reason = "cancelled before it was run",
                        .outcome = {},
                        .notice = {},
                        .at_ms = unix_ms()};
  ledger::Run ended = run;
  apply(ending, ended);
  const std::string text = to_json(ended);
  if (!run.webhook.empty()) ending.notice = text;
  TRY_ASSIGN(const ledger::Change change, store_.finished(id, ending));
  if (change == ledger::Change::kMade) {
    (*found)->end(text, std::nullopt);
    keep(*found);
  }
  return {};
}

Status RunService::recover() {
  TRY_ASSIGN(const std::vector<ledger::Run> runs, store_.unfinished());
  for (const ledger::Run& each : runs) {
    TRY_ASSIGN(const ledger::Run run, store_.find(each.id));
    auto work = std::make_shared<Work>();
    work->record = run;
    work->since = sys::now();
    work->live = std::make_shared<LiveRun>(run.id, run.caller);
    const auto again = [this, &work, &run]() -> Status {
      if (settings_.on_restart == "lost") {
        return fail(Code::kUnavailable, "the service stopped while this run was not finished");
      }
      // A submission that takes the service down with it must not do so for ever.
      constexpr int kMostAttempts = 3;
      if (run.attempts >= kMostAttempts) {
        return fail(Code::kUnavailable, "the service stopped " + std::to_string(run.attempts) +
                                            " times while this run was not finished");
      }
      TRY_ASSIGN(const json::value value, parse_json(run.submission));
      TRY_ASSIGN(work->request, read_run_request(value, ""));
      TRY_ASSIGN(work->policy, policy(run.policy));
      TRY_ASSIGN(const engine::Plan plan,
                 engine::plan_submission(catalog_, *work->policy, work->request.submission));
      begin(*work);
      engine::Job job = job_for({.id = run.caller, .address = {}, .key = std::nullopt}, plan, {});
      job.run = [this, work](engine::WardenAccess& access) { this->run(*work, access); };
      job.give_up = [this, work](const Error& error) { give_up(*work, error); };
      return dispatcher_.submit(std::move(job));
    }();
    if (!again) {
      metrics_.count("belljar_runs_lost_total", "");
      fail_run(*work, again.error());
    }
  }
  return {};
}

}  // namespace belljar::api
