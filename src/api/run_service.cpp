#include "api/run_service.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <optional>

#include "api/json_reader.h"
#include "api/request_fields.h"
#include "api/webhook_url.h"
#include "base/id.h"
#include "base/pause.h"
#include "base/sys.h"
#include "base/text.h"
#include "model/builtin_policies.h"
#include "model/json_text.h"
#include "screen/sanitizer.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

// What streams that come late may still see of runs that are over.
constexpr std::size_t kMostEnded = 500;
constexpr std::size_t kMostEndedBytes = 16 * kMiB;

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

const std::map<std::string, screen::Screener, std::less<>>& screeners() {
  static const auto screeners = [] {
    std::map<std::string, screen::Screener, std::less<>> made;
    for (const std::string_view name : screen::builtin_rules_names()) {
      if (auto rules = screen::builtin_rules(name))
        made.try_emplace(std::string(name), *std::move(rules));
    }
    return made;
  }();
  return screeners;
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

std::unexpected<Error> forgotten() {
  return fail(Code::kConflict, "idempotency_key: runs of that batch are kept no more");
}

bool is_of(const Caller& caller, const std::string& owner) {
  return owner == caller.id || caller.may("admin");
}

}  // namespace

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

// One run and what its runner tells of it: what happens goes onto its list of events.
struct RunService::Work : Journal::Entry, engine::RunListener {
  explicit Work(RunService& its_service) : service(its_service) {}

  [[nodiscard]] const std::string& id() const override { return record.id; }
  bool on_start(std::uint64_t attempt) override { return service.start(*this, attempt); }
  void on_began(Nanoseconds ago) override { began_ago = std::min(ago, sys::now() - since); }
  [[nodiscard]] engine::Input input() const override {
    return engine_input(stdin_source, request.input);
  }
  Result<Fd> open_control() override { return live->open_control(); }
  void forward_control(std::function<void(const engine::InputControl&)> sink) override {
    live->forward_control(std::move(sink));
  }
  [[nodiscard]] bool may_begin_again() const override { return !took_effect; }
  void on_input() override { took_effect = true; }
  void on_stage(StageKind stage) override {
    if (!followed) add_stage(*live, stage);
  }
  void on_output(StageKind stage, engine::OutputStream stream, std::string_view bytes) override {
    if (!followed && add_output(*live, stage, stream, bytes)) took_effect = true;
  }
  void on_end(Result<Outcome> outcome) override {
    if (outcome) {
      service.finish(*this, *std::move(outcome));
    } else {
      service.fail_run(*this, outcome.error());
    }
  }
  void on_give_up(const Error& error) override { service.give_up(*this, error); }

  RunService& service;
  bool keep_outcome = false;
  bool took_effect = false;  // somebody has heard of it, or it has read what came while it ran
  std::shared_ptr<LiveRun> live;
  std::shared_ptr<FollowedRun> followed;  // begun before this process was: told from the start
  RunRequest request;
  RunInput stdin_source;
  const Policy* policy = nullptr;
  std::string findings;  // of the screening, as JSON; empty: none
  Nanoseconds since{};
  Nanoseconds queued{};
};

RunService::RunService(const Settings& settings,
                       const runtime::Catalog& catalog,
                       ledger::Store& store,
                       Journal& journal,
                       engine::Runner& runner,
                       Metrics& metrics)
    : settings_(settings),
      catalog_(catalog),
      store_(store),
      journal_(journal),
      runner_(runner),
      metrics_(metrics) {
  if (settings_.fleet.empty()) return;
  follower_ = std::jthread([this](const std::stop_token& stop) { follow_for_ever(stop); });
}

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
  checked.work = std::make_shared<Work>(*this);
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
  TRY_ASSIGN(checked.verdict, screen(request.screening, checked.plan.manifest.name,
                                     request.submission.files, checked.plan.stages.entry));
  work.findings = findings_json(checked.verdict);
  work.request = std::move(request);
  work.stdin_source = options.input;
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

std::shared_ptr<LiveRun> RunService::new_live(const ledger::Run& run) const {
  using Pieces = LiveRun::Pieces;
  auto live = std::make_shared<LiveRun>(
      run.id, run.caller, settings_.fleet.empty() ? Pieces::kJoined : Pieces::kAsTheyCome);
  live->add("status", json_text(json::object{{"state", "queued"}, {"id", run.id}}));
  return live;
}

// From here on its clients can see it.
void RunService::begin(Work& work) {
  work.live = new_live(work.record);
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
  engine::Task task = task_for(caller, checked.plan, options, {work});
  // Looked at before anything is written: a flood of refusals must not become a flood of writes.
  if (!checked.verdict.refused) TRY(runner_.check(task, 1));
  // Before the ledger has it: a replay that comes at once must find a run to wait for.
  begin(*work);
  if (options.answered_at_end &&
      journal_.may_accept_later(caller, work->record, options.idempotency_key)) {
    journal_.accept_later(work);
  } else {
    const auto accepted = journal_.accept(caller, {&work->record, 1}, options.idempotency_key);
    if (!accepted || accepted->answer == ledger::Accepted::Answer::kReplayed) {
      forget(work->record.id);
      if (!accepted) return std::unexpected(accepted.error());
      TRY_ASSIGN(const ledger::Run first, store_.find(accepted->id));
      if (!first.batch.empty()) return used_otherwise();
      const auto known = live_here(caller, accepted->id);
      return Submitted{.live = known ? *known : nullptr, .id = accepted->id, .replayed = true};
    }
  }
  Submitted submitted{.live = work->live, .id = work->record.id};
  if (checked.verdict.refused) {
    reject(*work, checked.verdict);
    return submitted;
  }
  if (const Status queued = runner_.submit(std::move(task)); !queued) {
    fail_run(*work, queued.error());
    return std::unexpected(queued.error());
  }
  return submitted;
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
  auto accepted = journal_.accept(caller, records, idempotency_key);
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
      good = runner_.check(task_for(caller, checked->plan, options, {checked->work}), 1);
      // Whether there is room is asked for all of them together.
      if (!good && good.error().code == Code::kExhausted) good = {};
      // Whether it can be run is another question a moment later: a batch that is sent again must
      // find the same of its runs taken, so none of this one are.
      if (!good && good.error().code == Code::kUnavailable) return std::unexpected(good.error());
    }
    batch.runs.push_back({.id = {}, .refusal = good ? "" : good.error().message});
    if (good) taken.push_back(*std::move(checked));
  }
  if (taken.empty()) return batch;
  TRY(runner_.check(task_for(caller, taken.front().plan, options, {taken.front().work}),
                    taken.size()));
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
      // There was room a moment ago; where somebody else took it, this run is lost, and says so.
      const Status queued = runner_.submit(task_for(caller, next->plan, options, {work}));
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
  engine::Task task = task_for(caller, first.plan, options, {first.work});
  if (!first.verdict.refused) TRY(runner_.check(task, 1));
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
  task.runs.assign(works.begin(), works.end());
  if (const Status queued = runner_.submit(std::move(task)); !queued) {
    for (const auto& work : works) fail_run(*work, queued.error());
    return std::unexpected(queued.error());
  }
  return batch;
}

Status RunService::unpack(const Caller& caller,
                          std::string archive,
                          const Labels& labels,
                          const std::function<void(Result<std::vector<File>>)>& done) {
  return runner_.unpack({.caller = caller.id,
                         .archive = std::move(archive),
                         .labels = labels,
                         .deadline = sys::now() + settings_.queue_wait,
                         .done = done});
}

engine::Task RunService::task_for(const Caller& caller,
                                  const engine::Plan& plan,
                                  const SubmitOptions& options,
                                  std::vector<std::shared_ptr<Work>> works) const {
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
  const std::shared_ptr<Work>& first = works.front();
  engine::Task task{.caller = caller.id,
                    .language = plan.manifest.name,
                    .policy = first->policy,
                    .submission = {first, &first->request.submission},
                    .runs = {works.begin(), works.end()},
                    .memory = most.memory,
                    .cpus_milli = most.cpus_milli,
                    .concurrent = concurrent,
                    .deadline = sys::now() + patience,
                    .urgency = engine::Urgency::kAsynchronous,
                    .streamed = !options.answered_at_end,
                    .interactive = options.input.kind != RunInput::Kind::kBytes,
                    .labels = first->request.labels,
                    .attempts = static_cast<std::uint64_t>(first->record.attempts)};
  if (options.answered_at_end || task.interactive) task.urgency = engine::Urgency::kInteractive;
  if (!options.batch.empty()) task.urgency = engine::Urgency::kBatch;
  return task;
}

Result<screen::Verdict> RunService::screen(const std::string& rules,
                                           std::string_view language,
                                           std::span<const File> files,
                                           std::string_view entry) const {
  const std::string& name = rules.empty() ? settings_.screening : rules;
  if (name == "none") return screen::Verdict();
  const auto found = screeners().find(name);
  if (found == screeners().end()) {
    std::string names = "none";
    for (const auto& [each, screener] : screeners()) names += ", " + each;
    return fail(Code::kInvalid, "screening: there is no " + quote(name) + "; there are " + names);
  }
  return found->second.screen(language, files, entry);
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

// False where it has been cancelled in the queue.
bool RunService::start(Work& work, std::uint64_t attempt) {
  if (work.queued == Nanoseconds{}) work.queued = sys::now() - work.since - work.began_ago;
  if (journal_.start(work, attempt)) return true;
  // Whoever cancelled it here has told so; another gateway could not.
  const auto now = store_.find(work.record.id);
  if (!work.live->is_cancelled() && now) {
    std::optional<Error> elsewhere;
    if (!ledger::has_ended(now->state)) {
      elsewhere = {.code = Code::kUnavailable, .message = "another gateway has this run now"};
    }
    work.live->end(to_json(*now), std::move(elsewhere));
  }
  return false;
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
  if (const Status stored = journal_.end(work, ending, artifacts); !stored && !error) {
    // Nobody was promised anything yet, and now it cannot be kept.
    error = {.code = Code::kUnavailable, .message = stored.error().message};
  }
  const std::string text = to_json(work.record);
  if (work.followed) work.followed->catch_up();
  if (!work.keep_outcome) outcome.reset();
  work.live->end(text, std::move(error), std::move(outcome));
  keep(work.live);
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
  auto here = live_here(caller, id);
  if (here || settings_.fleet.empty()) return here;
  TRY_ASSIGN(const ledger::Run run, find(caller, id));
  return follow(run);
}

Result<std::shared_ptr<LiveRun>> RunService::live_here(const Caller& caller,
                                                       const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(id);
  if (found == live_.end() || !is_of(caller, found->second->caller())) return no_such_run();
  return found->second;
}

// A run that has ended is told from what is still kept of it, if anything is: without that its
// events would have other numbers than its clients know.
Result<std::shared_ptr<LiveRun>> RunService::follow(const ledger::Run& run) {
  constexpr std::size_t kMostFollowed = 500;
  std::shared_ptr<FollowedRun> followed;
  {
    const std::lock_guard lock(mutex_);
    const auto known = followed_.find({run.id, false});
    if (known != followed_.end()) return known->second->live();
    if (followed_.size() >= kMostFollowed) return no_such_run();
    followed = std::make_shared<FollowedRun>(runner_, new_live(run), false);
    if (!ledger::has_ended(run.state)) {
      followed_.emplace(std::pair(run.id, false), followed);
      return followed->live();
    }
  }
  followed->catch_up();
  if (followed->live()->events_after(1).empty()) return no_such_run();
  followed->live()->end(to_json(run), std::nullopt);
  return followed->live();
}

void RunService::follow_for_ever(const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kPause{100};
  constexpr unsigned kLookEvery = 5;  // into the ledger
  for (unsigned turn = 0; pause_unless_stopped(stop, kPause); ++turn) {
    std::vector<std::shared_ptr<FollowedRun>> all;
    {
      const std::lock_guard inner(mutex_);
      for (const auto& [key, each] : followed_) all.push_back(each);
    }
    for (const auto& each : all) {
      LiveRun& live = *each->live();
      // Looked for first: what it said until then is there.
      std::optional<ledger::Run> ended;
      if (!each->is_ours() && turn % kLookEvery == 0) {
        auto run = store_.find(live.id());
        if (run && ledger::has_ended(run->state)) ended = *std::move(run);
      }
      if (ended || live.is_watched()) each->catch_up();
      if (ended) live.end(to_json(*ended), std::nullopt);
      const std::lock_guard inner(mutex_);
      if (live.is_over()) followed_.erase({live.id(), each->is_ours()});
    }
  }
}

Result<ledger::Run> RunService::find(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(ledger::Run run, store_.find(id));
  // A session, and what is executed in it, is found as such.
  if (!is_of(caller, run.caller) || !run.session.empty()) return no_such_run();
  return run;
}

Result<std::string> RunService::run_json(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const ledger::Run run, find(caller, id));
  return to_json(run);
}

Status RunService::cancel(const Caller& caller, const std::string& id) {
  TRY_ASSIGN(const ledger::Run run, find(caller, id));
  if (ledger::has_ended(run.state)) return fail(Code::kDenied, "the run has ended");
  const auto found = live_here(caller, id);
  if (found) {
    (*found)->cancel();
    if (run.state != ledger::State::kQueued) return {};
  }
  // Also where another gateway has it: that one does not begin it any more, and of one that it has
  // begun this end is the one that counts.
  ledger::Ending ending{.state = ledger::State::kCancelled,
                        .status = std::string(to_string(RunStatus::kCancelled)),
                        .reason = run.state == ledger::State::kQueued
                                      ? "cancelled before it was run"
                                      : "cancelled through another gateway",
                        .outcome = {},
                        .notice = {},
                        .at_ms = unix_ms()};
  if (!found) runner_.cancel_elsewhere(id);
  ledger::Run ended = run;
  apply(ending, ended);
  const std::string text = to_json(ended);
  if (!run.webhook.empty()) ending.notice = text;
  TRY_ASSIGN(const ledger::Change change, store_.finished(id, ending));
  if (found && change == ledger::Change::kMade) {
    (*found)->end(text, std::nullopt);
    keep(*found);
  }
  return {};
}

Status RunService::recover() {
  TRY_ASSIGN(const std::vector<ledger::Run> runs, store_.unfinished());
  for (const ledger::Run& each : runs) {
    if (!each.session.empty()) continue;
    TRY_ASSIGN(const ledger::Run run, store_.find(each.id));
    run_again(run);
  }
  return {};
}

void RunService::adopt_for_ever(const std::stop_token& stop,
                                const std::function<void(const ledger::Run&)>& session) {
  constexpr std::chrono::seconds kPause{5};
  while (pause_unless_stopped(stop, kPause)) {
    adopt_abandoned(session);
  }
}

// No more at once than soon get their turn: other gateways take the rest.
void RunService::adopt_abandoned(const std::function<void(const ledger::Run&)>& session) {
  constexpr int kMost = 50;
  if (runner_.state().waiting > kMost) return;
  const auto runs = store_.abandoned(kMost);
  if (!runs) return;
  for (const ledger::Run& each : *runs) {
    {
      const std::lock_guard lock(mutex_);
      if (live_.contains(each.id)) continue;  // it is being run already
    }
    if (!each.session.empty()) {
      session(each);
      continue;
    }
    const auto run = store_.find(each.id);
    if (run && !ledger::has_ended(run->state)) run_again(*run);
  }
}

void RunService::run_again(const ledger::Run& run) {
  auto work = std::make_shared<Work>(*this);
  work->record = run;
  work->since = sys::now();
  work->live = new_live(run);
  const auto prepare = [this, &work, &run]() -> Result<engine::Task> {
    if (settings_.on_restart == "lost") {
      return fail(Code::kUnavailable, "the service stopped while this run was not finished");
    }
    // A submission that takes the service down with it must not do so for ever. In a fleet it may
    // be alive at a worker all the while; who died of it is counted there.
    constexpr int kMostAttempts = 3;
    if (settings_.fleet.empty() && run.attempts >= kMostAttempts) {
      return fail(Code::kUnavailable, "the service stopped " + std::to_string(run.attempts) +
                                          " times while this run was not finished");
    }
    TRY_ASSIGN(const json::value value, parse_json(run.submission));
    TRY_ASSIGN(work->request, read_stored_request(value));
    if (work->request.interactive) {
      // Where a worker has it, it ends it.
      runner_.cancel_elsewhere(run.id);
      return fail(Code::kUnavailable, "what its client had typed is gone with the service");
    }
    TRY_ASSIGN(work->policy, policy(run.policy));
    TRY_ASSIGN(const engine::Plan plan,
               engine::plan_submission(catalog_, *work->policy, work->request.submission));
    return task_for({.id = run.caller, .address = {}, .key = std::nullopt}, plan, {}, {work});
  };
  auto task = prepare();
  if (!task) {
    metrics_.count("belljar_runs_lost_total", "");
    return fail_run(*work, task.error());
  }
  begin(*work);
  if (!settings_.fleet.empty()) {
    // What it said so far is kept; its clients know the events by their numbers.
    work->followed = std::make_shared<FollowedRun>(runner_, work->live, true);
    const std::lock_guard lock(mutex_);
    followed_[{run.id, true}] = work->followed;
  }
  if (const Status queued = runner_.submit(*std::move(task)); !queued) {
    // Where this gateway is about to stop it stays in the ledger.
    if (queued.error().code != Code::kUnavailable) metrics_.count("belljar_runs_lost_total", "");
    give_up(*work, queued.error());
  }
}

}  // namespace belljar::api
