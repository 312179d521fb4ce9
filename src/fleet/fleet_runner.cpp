#include "fleet/fleet_runner.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/id.h"
#include "base/pause.h"
#include "base/sys.h"
#include "base/text.h"
#include "fleet/events_following.h"
#include "fleet/subjects.h"
#include "fleet/unpacking_run.h"

namespace belljar::fleet {
namespace {

constexpr Milliseconds kPatience{5000};
constexpr Milliseconds kLookEvery{100};
constexpr std::chrono::seconds kLateEndsEvery{1};
constexpr std::chrono::seconds kNextNodeWithin{1};
constexpr std::chrono::seconds kQueueLookEvery{5};
// What is in the queue, or runs from there, for longer is looked after.
constexpr std::chrono::seconds kLongQueued{10};
// What is told of it may be on its way; of one that runs it is its end, which takes what it takes.
constexpr std::chrono::seconds kMissedFor{10};
constexpr std::chrono::seconds kEndMissedFor{60};
// A worker that has been sent a run says within this that it has begun it, or that it is full.
constexpr std::chrono::seconds kAnswerWithin{1};
// Another attempt at what NATS did not take.
constexpr Milliseconds kTryAgainAfter{500};
// After a start workers are asked who is there, and waited for.
constexpr Milliseconds kFirstWorkerWithin{500};
constexpr std::size_t kThreads = 8;
constexpr std::size_t kMostOver = 20'000;

Order::Reads reads_of(engine::Input::Kind kind) {
  switch (kind) {
    case engine::Input::Kind::kEmpty:
    case engine::Input::Kind::kBytes:
      return Order::Reads::kBytes;
    case engine::Input::Kind::kDescriptor:
      return Order::Reads::kPipe;
    case engine::Input::Kind::kTerminal:
      return Order::Reads::kTerminal;
  }
  return Order::Reads::kBytes;
}

void tell(engine::Observer& observer, const Happening& happening) {
  using engine::OutputStream;
  switch (happening.kind) {
    case Happening::Kind::kBegun:
    case Happening::Kind::kBusy:
    case Happening::Kind::kTaken:
      return;
    case Happening::Kind::kStage:
      return observer.on_stage(happening.stage);
    case Happening::Kind::kOut:
      return observer.on_output(StageKind::kRun, OutputStream::kOut, happening.bytes);
    case Happening::Kind::kErr:
      return observer.on_output(StageKind::kRun, OutputStream::kErr, happening.bytes);
  }
}

}  // namespace

FleetRunner::FleetRunner(std::unique_ptr<Connection> connection, GatewaySettings settings)
    : connection_(std::move(connection)),
      settings_(std::move(settings)),
      stream_(*connection_),
      objects_(stream_, kBucket) {}

FleetRunner::~FleetRunner() {
  for (std::jthread& each : watchers_) each.request_stop();
  watchers_.clear();
  subscriptions_.clear();
  threads_.reset();
}

Result<std::unique_ptr<FleetRunner>> FleetRunner::open(std::unique_ptr<Connection> connection,
                                                       GatewaySettings settings) {
  auto runner =
      std::unique_ptr<FleetRunner>(new FleetRunner(std::move(connection), std::move(settings)));
  TRY(runner->begin());
  return runner;
}

Status FleetRunner::begin() {
  TRY(make_streams(stream_, objects_, settings_.replicas, settings_.work_streams));
  TRY(stream_.make_consumer(kEndsStream, ends_consumer(settings_.id),
                            told_subject(settings_.id, "end", kAnyWorker, "*"),
                            std::chrono::seconds(30)));
  threads_.emplace(kThreads);
  const auto subscribe = [this](const std::string& subject,
                                std::function<void(Message)> take) -> Status {
    TRY_ASSIGN(auto made, connection_->subscribe(subject, std::move(take)));
    subscriptions_.push_back(std::move(made));
    return {};
  };
  // One subscription for all that is told of runs, so that it is taken in the order of the telling.
  TRY(subscribe(told_subject(settings_.id, "*", kAnyWorker, "*"),
                [this](const Message& message) { take_told(message); }));
  TRY(subscribe(worker_subject(kAnyWorker), [this](const Message& message) {
    auto state = read_worker_state(message.data);
    if (!state || state->id != worker_of(message.subject)) return;
    const std::lock_guard lock(mutex_);
    roster_.hear(*std::move(state), sys::now());
    ended_.notify_all();
  }));
  TRY(subscribe(gateway_subject("*"), [this](const Message& message) {
    auto state = read_gateway_state(message.data);
    if (!state || state->id == settings_.id) return;
    let_in_.hear(state->id, std::exchange(state->let_in, {}), sys::now());
    const std::lock_guard lock(mutex_);
    roster_.hear(*std::move(state), sys::now());
  }));
  TRY(subscribe(kRollCall, [this](const Message& message) { heartbeat_.hear(message); }));
  TRY(connection_->publish(kRollCall, ""));
  TRY(connection_->flush(kPatience));
  watchers_.emplace_back([this](const std::stop_token& stop) { watch(stop); });
  watchers_.emplace_back([this](const std::stop_token& stop) { take_late_ends(stop); });
  watchers_.emplace_back([this](const std::stop_token& stop) { look_after_queue(stop); });
  std::unique_lock lock(mutex_);
  ended_.wait_for(lock, kFirstWorkerWithin, [this] { return roster_.knows_any(); });
  return {};
}

// ---- Submitting ------------------------------------------------------------------------------

// In the whole fleet, as far as the others have said.
GatewayState::Caller FleetRunner::of_caller_locked(const std::string& caller) const {
  GatewayState::Caller sum = roster_.elsewhere(caller, sys::now());
  if (const auto ours = callers_.find(caller); ours != callers_.end()) {
    sum.waiting += ours->second.waiting;
    sum.running += ours->second.running;
  }
  return sum;
}

Status FleetRunner::check(const engine::Task& task, std::size_t count) const {
  const std::lock_guard lock(mutex_);
  return check_locked(task, count);
}

// Where a node of NATS is stopped the next one is there in a moment.
Status FleetRunner::check_nats_locked() const {
  if (connection_->is_up() || sys::now() - up_at_ < kNextNodeWithin) return {};
  return fail(Code::kUnavailable, "the fleet's NATS does not answer");
}

Status FleetRunner::check_locked(const engine::Task& task, std::size_t count) const {
  if (closed_) return fail(Code::kUnavailable, "the service is shutting down");
  TRY(check_nats_locked());
  if (!roster_.pool_for(task.language, {}, sys::now())) {
    return fail(Code::kUnavailable, task.language.empty()
                                        ? std::string("the fleet has no worker now")
                                        : "no worker of the fleet has " + task.language + " now");
  }
  if (!roster_.pool_for(task.language, task.labels, sys::now())) {
    return fail(Code::kUnavailable,
                "labels: no worker of the fleet has all of " + to_string(task.labels) + " now");
  }
  if (const std::size_t most = std::min(settings_.queue, settings_.queue_per_caller);
      count > 1 && count > most) {
    return fail(Code::kInvalid, "runs: at most " + std::to_string(most) +
                                    " of one caller may wait, these are " + std::to_string(count));
  }
  if (waiting_ + count > settings_.queue) return fail(Code::kExhausted, "the queue is full");
  if (of_caller_locked(task.caller).waiting + count > settings_.queue_per_caller) {
    return fail(Code::kExhausted, "too many of your runs are waiting: at most " +
                                      std::to_string(settings_.queue_per_caller) + " may");
  }
  return {};
}

FleetRunner::Shared FleetRunner::make_run(const engine::Task& task,
                                          std::shared_ptr<engine::RunListener> listener) const {
  auto run = std::make_shared<Run>();
  run->id = listener->id();
  run->caller = task.caller;
  run->language = task.language;
  run->labels = task.labels;
  run->listener = std::move(listener);
  run->urgency = task.urgency;
  run->concurrent = task.concurrent;
  run->deadline = task.deadline;
  run->attempt = task.attempts;
  run->submitted = sys::now();
  run->since = run->submitted;
  return run;
}

Status FleetRunner::make_order(const engine::Task& task, bool unpack, const Shared& run) {
  const auto left = std::chrono::duration_cast<Milliseconds>(task.deadline - sys::now());
  engine::Input input = run->listener->input();
  const Order::Reads reads = reads_of(input.kind);
  if (reads != Order::Reads::kBytes) {
    // One that may have been begun already must not be: so by the queue, which knows that.
    run->only_queue = true;
    TRY_ASSIGN(run->input,
               InputSender::make(input.fd, [this, id = run->id](const InputFrame& each) {
                 (void)tell_worker(id, to_json(each));
               }));
  }
  run->order = to_json(Order{.run = run->id,
                             .gateway = settings_.id,
                             .caller = run->caller,
                             .language = run->language,
                             .policy = unpack ? "" : task.policy->name,
                             .submission = unpack ? Submission() : *task.submission,
                             .input = std::move(input.bytes),
                             .reads = reads,
                             .unpack = unpack,
                             .memory = task.memory,
                             .cpus_milli = task.cpus_milli,
                             .expires_ms = unix_ms() + left.count(),
                             .streamed = task.streamed});
  if (run->order.size() > kMostInline) run->object = "order." + run->id + "." + settings_.id;
  return {};
}

// Each of its runs by itself: workers keep what they have compiled. Where NATS is away since the
// submission was checked it is given to the fleet as soon as that is back.
Status FleetRunner::submit(engine::Task task) {
  std::vector<Shared> made;
  for (const auto& listener : task.runs) {
    made.push_back(make_run(task, listener));
    TRY(make_order(task, false, made.back()));
  }
  return take_in(made);
}

// Told of as of a run, and recorded nowhere: who waits for it asks again.
Status FleetRunner::unpack(engine::Unpacking unpacking) {
  engine::Task task{.caller = unpacking.caller,
                    .memory = Limits().memory,
                    .cpus_milli = Limits().cpus_milli,
                    .deadline = unpacking.deadline,
                    .labels = unpacking.labels};
  TRY(check(task, 1));
  const Shared run =
      make_run(task, std::make_shared<UnpackingRun>(make_id("unpack"), std::move(unpacking)));
  TRY(make_order(task, true, run));
  return take_in({run});
}

Status FleetRunner::take_in(const std::vector<Shared>& made) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(Code::kUnavailable, "the service is shutting down");
    for (const Shared& run : made) {
      runs_[run->id] = run;
      ++waiting_;
      GatewayState::Caller& caller = callers_[run->caller];
      caller.id = run->caller;
      ++caller.waiting;
    }
  }
  for (const Shared& run : made) {
    run->listener->forward_control([this, id = run->id, input = std::weak_ptr(run->input)](
                                       const engine::InputControl& control) {
      // What its client types and means otherwise has one order.
      if (const auto sender = input.lock()) return sender->control(control);
      send_control(id, control);
    });
    // Where there is nothing to wait for, no other thread has to be woken. Nothing else happens to
    // it meanwhile: it is looked after only when it has been here for a while.
    const bool goes = run->urgency == engine::Urgency::kInteractive && run->object.empty() &&
                      run->concurrent == 0 && !run->only_queue && send(run);
    if (!goes) threads_->post(run->id, [this, run] { place(run); });
  }
  return {};
}

// The worker that has it hears it alone. As long as that is not known there is nothing for a worker
// to hear but that it is cancelled.
void FleetRunner::send_control(const std::string& run, const engine::InputControl& control) {
  if (tell_worker(run, to_json(control))) return;
  if (control.kind == engine::InputControl::Kind::kCancel) cancel_elsewhere(run);
}

bool FleetRunner::tell_worker(const std::string& run, const std::string& text) {
  std::string worker;
  if (const Shared found = find(run)) {
    const std::lock_guard lock(mutex_);
    using Place = Run::Place;
    if (found->place == Place::kSent || found->place == Place::kRunning) worker = found->worker;
  }
  if (worker.empty()) return false;
  return connection_->publish(control_subject(worker, run), text).has_value();
}

void FleetRunner::cancel_elsewhere(const std::string& run) {
  const engine::InputControl cancel{.kind = engine::InputControl::Kind::kCancel};
  (void)connection_->publish(cancel_subject(run), to_json(cancel)).has_value();
}

// ---- Finding a place -------------------------------------------------------------------------

bool FleetRunner::may_go_locked(const Run& run) const {
  if (run.concurrent == 0) return true;
  std::uint64_t out = roster_.elsewhere(run.caller, sys::now()).running;
  for (const auto& [id, each] : runs_) {
    if (each->caller == run.caller && each->place != Run::Place::kHere) ++out;
  }
  return out < run.concurrent;
}

// What concerns one run is done by one thread, one after the other: so between its looking and its
// sending nothing else happens to it.
void FleetRunner::place(const Shared& run) {
  {
    const std::lock_guard lock(mutex_);
    if (!runs_.contains(run->id) || run->place != Run::Place::kHere) return;
    run->since = sys::now();
    if (!may_go_locked(*run)) return;
  }
  if (!run->object.empty() && !run->order.empty()) {
    if (!objects_.put(run->object, run->order)) return;
    run->order.clear();
  }
  if (run->urgency == engine::Urgency::kInteractive && !run->only_queue && send(run)) return;
  enqueue(run);
}

std::string FleetRunner::parcel(const Run& run) {
  const Parcel::Past past{.deaths = run.deaths, .attempts = run.attempt};
  return run.object.empty() ? parcel_of(past, run.order) : parcel_of_object(past, run.object);
}

bool FleetRunner::send(const Shared& run) {
  std::string worker;
  {
    const std::lock_guard lock(mutex_);
    const auto found = roster_.take_room(run->language, run->labels, sys::now());
    if (!found) return false;
    worker = *found;
    run->worker = worker;
    run->given.push_back(worker);
    run->direct = true;
    run->place = Run::Place::kSent;
    run->since = sys::now();
  }
  if (connection_->publish(order_subject(worker), parcel(*run))) return true;
  const std::lock_guard lock(mutex_);
  run->place = Run::Place::kHere;
  return true;
}

void FleetRunner::enqueue(const Shared& run) {
  Run::Queued queued{.stream =
                         work_stream_of(run->id, static_cast<unsigned>(settings_.work_streams))};
  {
    const std::lock_guard lock(mutex_);
    run->since = sys::now();
    const std::optional<std::string> pool =
        roster_.pool_for(run->language, run->labels, sys::now());
    if (!pool) return;
    run->was_queued = true;
    const std::uint64_t waiting = of_caller_locked(run->caller).waiting;
    queued.pool = *pool;
    queued.lane = lane_of(static_cast<unsigned>(run->urgency), waiting > 0 ? waiting - 1 : 0);
  }
  // The same id again where it is not known whether it was stored.
  const std::string id = run->id + "." + settings_.id + "." + std::to_string(run->times_queued);
  const auto stored = stream_.publish(work_subject(queued.stream, queued.pool, queued.lane),
                                      parcel(*run), id, kPatience);
  if (!stored) return;
  queued.number = *stored;
  {
    const std::lock_guard lock(mutex_);
    run->place = Run::Place::kQueued;
    run->since = sys::now();
    run->direct = false;
    run->queued = queued;
  }
  (void)connection_->publish(wake_subject(queued.pool), std::to_string(queued.lane)).has_value();
}

// ---- What workers tell -----------------------------------------------------------------------

FleetRunner::Shared FleetRunner::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = runs_.find(id);
  return found == runs_.end() ? nullptr : found->second;
}

// What was given to certain workers, no other one tells of. Who took a run from the queue nobody
// says but itself; it knows the run's id, which is told to nobody else.
bool FleetRunner::may_tell(const Run& run, const std::string& worker) const {
  const std::lock_guard lock(mutex_);
  return run.was_queued || run.given.empty() ||
         std::ranges::find(run.given, worker) != run.given.end();
}

void FleetRunner::take_told(const Message& message) {
  const std::optional<Told> told = read_told_subject(message.subject);
  if (!told) return;
  // An end may come again, for its worker has not heard that it is recorded.
  if (!find(told->run) && !(told->kind == "done" && is_over(told->run))) return;
  threads_->post(told->run, [this, told = *told, data = message.data] {
    if (told.kind == "done") return take_done(told, data);
    if (told.kind == "end") return (void)on_end(told, data);
    const Shared run = find(told.run);
    const auto happening = read_happening(data);
    if (run && happening && may_tell(*run, told.worker)) on_happening(run, told, *happening);
  });
}

// Its worker is told in a moment, with others of its ends, that this one need not be kept.
void FleetRunner::take_done(const Told& told, const std::string& text) {
  if (!on_end(told, text) && !is_over(told.run)) return;
  const std::lock_guard lock(mutex_);
  heard_[told.worker].push_back(told.run);
}

bool FleetRunner::is_over(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return over_.contains(id);
}

void FleetRunner::on_happening(const Shared& run, const Told& told, const Happening& happening) {
  switch (happening.kind) {
    case Happening::Kind::kBegun: {
      {
        const std::lock_guard lock(mutex_);
        run->direct = run->direct && run->worker == told.worker;
        run->place = Run::Place::kRunning;
        run->since = sys::now();
        run->worker = told.worker;
        run->queued.missed = {};
      }
      if (start(run, happening.attempt)) {
        if (run->input) run->input->begin();
        return;
      }
      send_control(run->id, {.kind = engine::InputControl::Kind::kCancel});
      return forget(run);
    }
    case Happening::Kind::kBusy: {
      {
        const std::lock_guard lock(mutex_);
        if (run->place != Run::Place::kSent || run->worker != told.worker) return;
        run->place = Run::Place::kHere;
        run->only_queue = true;
      }
      return place(run);
    }
    case Happening::Kind::kTaken:
      if (!run->input) return;
      run->input->begin();  // where the word that it is begun was lost
      run->input->taken(happening.frames, happening.written);
      return;
    case Happening::Kind::kStage:
    case Happening::Kind::kOut:
    case Happening::Kind::kErr:
      return tell(*run->listener, happening);
  }
}

// False where its listener does not want it any more.
bool FleetRunner::start(const Shared& run, std::uint64_t attempt) {
  {
    const std::lock_guard lock(mutex_);
    const bool is_first = !std::exchange(run->started, true);
    if (!is_first && attempt <= run->attempt) return true;
    // Of one that this gateway had before it was started again the first may be told a second time.
    if (attempt > std::max<std::uint64_t>(run->attempt, 1)) ++redelivered_;
    run->attempt = std::max(run->attempt, attempt);
    attempt = run->attempt;
    if (is_first) {
      --waiting_;
      GatewayState::Caller& caller = callers_[run->caller];
      --caller.waiting;
      ++caller.running;
    }
  }
  return run->listener->on_start(attempt);
}

// Its worker has died, and what its client had typed is gone with it.
void FleetRunner::end_without_input(const Shared& run) {
  if (!find(run->id)) return;
  // A worker that was only cut off has it still.
  send_control(run->id, {.kind = engine::InputControl::Kind::kCancel});
  run->listener->on_end(fail(Code::kUnavailable, std::string(kInputIsGone)));
  forget(run);
}

// Answers whether the run is over, as far as this gateway is concerned.
bool FleetRunner::on_end(const Told& told, const std::string& text) {
  const Shared run = find(told.run);
  if (!run || !may_tell(*run, told.worker)) return false;
  std::string whole = text;
  const auto object = referred_object(text);
  if (object) {
    // Not what belongs to another run: it would be shown as this one's, and removed.
    if (*object != end_object(told.run, told.worker)) return false;
    auto got = objects_.get(*object);
    if (!got) return false;  // it comes again with the late ones
    whole = *std::move(got);
  }
  auto end = read_end(whole);
  if (!end) {
    end = End{.run = told.run, .outcome = std::unexpected(end.error()), .started = true};
  }
  if (!end->started && !end->outcome && end->outcome.error().code == Code::kUnavailable) {
    give_to_another(run, told.worker);
    return true;
  }
  // As from a stranger: no time in the future, nor one that cannot be counted.
  constexpr std::chrono::microseconds kDay = std::chrono::hours(24);
  const std::chrono::microseconds ago(std::clamp<std::int64_t>(end->began_us_ago, 0, kDay.count()));
  if (!run->started) run->listener->on_began(ago);
  if (!end->started && !run->started) {
    run->listener->on_give_up(end->outcome.error());
  } else if (start(run, end->attempt)) {
    run->listener->on_end(std::move(end->outcome));
  }
  forget(run);
  if (object) (void)objects_.remove(*object).has_value();
  return true;
}

// The worker that had it is on the way out, and says so once, or the same once more.
void FleetRunner::give_to_another(const Shared& run, const std::string& worker) {
  const std::lock_guard lock(mutex_);
  const bool is_news = runs_.contains(run->id) && run->left.insert(worker).second;
  if (is_news && !run->started) give_again_locked(run);
}

void FleetRunner::forget(const Shared& run) {
  Shared next;
  std::shared_ptr<InputSender> input;  // it waits for its thread
  {
    const std::lock_guard lock(mutex_);
    if (runs_.erase(run->id) == 0) return;
    input.swap(run->input);
    const auto caller = callers_.find(run->caller);
    if (run->started) {
      --caller->second.running;
    } else {
      --waiting_;
      --caller->second.waiting;
    }
    if (caller->second.running + caller->second.waiting == 0) callers_.erase(caller);
    if (run->direct) roster_.give_back_room(run->worker);
    over_.insert(run->id);
    over_order_.push_back(run->id);
    if (over_order_.size() > kMostOver) {
      over_.erase(over_order_.front());
      over_order_.pop_front();
    }
    if (run->concurrent > 0) {
      for (const auto& [id, each] : runs_) {
        if (each->caller != run->caller || each->place != Run::Place::kHere) continue;
        next = each;  // one place is free
        break;
      }
    }
    ended_.notify_all();
  }
  if (!run->object.empty()) (void)objects_.remove(run->object).has_value();
  if (next) threads_->post(next->id, [this, next] { place(next); });
}

// ---- Looking after them ----------------------------------------------------------------------

void FleetRunner::watch(const std::stop_token& stop) {
  do {
    look_after_runs();
    say_heard();
    if (!heartbeat_.is_due(sys::now())) continue;
    say_state();
  } while (pause_unless_stopped(stop, kLookEvery));
}

void FleetRunner::look_after_runs() {
  const Nanoseconds now = sys::now();
  const std::lock_guard lock(mutex_);
  if (connection_->is_up()) up_at_ = now;
  for (const auto& [id, each] : runs_) {
    const Shared run = each;
    using Place = Run::Place;
    if (!run->started && now > run->deadline) {
      threads_->post(id, [this, run] {
        if (run->started || !find(run->id)) return;
        send_control(run->id, {.kind = engine::InputControl::Kind::kCancel});
        run->listener->on_give_up(
            {.code = Code::kExhausted, .message = "waited too long in the queue"});
        forget(run);
      });
    } else if (run->place == Place::kHere && now - run->since > kTryAgainAfter) {
      run->since = now;
      threads_->post(id, [this, run] { place(run); });
    } else if (run->place == Place::kSent && now - run->since > kAnswerWithin) {
      give_again_locked(run);
    } else if (run->place == Place::kRunning && run->input && roster_.is_gone(run->worker, now)) {
      threads_->post(id, [this, run] { end_without_input(run); });
    } else if (run->place == Place::kRunning && run->direct && roster_.is_gone(run->worker, now)) {
      ++run->deaths;
      give_again_locked(run);
    }
  }
  roster_.forget_gone(now);
}

void FleetRunner::give_again_locked(const Shared& run) {
  ++again_;
  ++run->times_queued;
  run->place = Run::Place::kHere;
  run->only_queue = true;
  run->direct = false;
  threads_->post(run->id, [this, run] { place(run); });
}

// Nodes of NATS whose leaders fall one after the other lose what they had taken, or what had become
// of it (see JetStream::mend). So what is long in the queue is looked after, and what is not there
// any more, with nobody who has begun it or tells its end, is given to the fleet once more.
void FleetRunner::look_after_queue(const std::stop_token& stop) {
  while (pause_unless_stopped(stop, kQueueLookEvery)) {
    using Name = std::pair<unsigned, std::string>;  // of a stream and a pool
    std::map<Name, std::array<std::vector<Shared>, kLanes>> old;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [id, run] : runs_) {
        if (!is_from_queue_locked(*run) || sys::now() - run->since < kLongQueued) continue;
        old[{run->queued.stream, run->queued.pool}].at(run->queued.lane).push_back(run);
      }
    }
    for (const auto& [name, lanes] : old) {
      const std::string stream = work_stream(name.first);
      // Also the lanes that workers look into before.
      for (unsigned lane = 0; lane < kLanes && !stop.stop_requested(); ++lane) {
        const std::string consumer = work_consumer(name.second, lane);
        const auto state = stream_.mend(stream, consumer);
        if (!state) break;
        (void)stream_
            .remove_what_is_past(stream, work_subject(name.first, name.second, lane), *state)
            .has_value();
        bool again = false;
        for (const Shared& run : lanes.at(lane)) again |= is_missed_again(run, stream, *state);
        if (again) stream_.change_leaders(stream, consumer);
      }
    }
  }
}

bool FleetRunner::is_from_queue_locked(const Run& run) {
  if (run.queued.number == 0) return false;
  return run.place == Run::Place::kQueued || (run.place == Run::Place::kRunning && !run.direct);
}

bool FleetRunner::is_missed_again(const Shared& run,
                                  const std::string& stream,
                                  const ConsumerState& consumer) {
  std::uint64_t number = 0;
  bool runs = false;
  {
    const std::lock_guard lock(mutex_);
    number = run->queued.number;
    runs = run->place == Run::Place::kRunning;
  }
  bool is_missed = number <= consumer.acknowledged;
  if (!is_missed && number <= consumer.delivered) {
    const Result<bool> there = stream_.has(stream, number);
    if (!there) return false;
    is_missed = !*there;
  } else if (!is_missed) {
    is_missed = !runs && consumer.waiting == 0;
  }
  const std::lock_guard lock(mutex_);
  if (!runs_.contains(run->id) || !is_from_queue_locked(*run) || run->queued.number != number) {
    return false;
  }
  if (!is_missed) {
    run->queued.missed = {};
  } else if (run->queued.missed == Nanoseconds{}) {
    run->queued.missed = sys::now();
  } else if (sys::now() - run->queued.missed > (runs ? kEndMissedFor : kMissedFor)) {
    if (run->started && run->input) {
      threads_->post(run->id, [this, run] { end_without_input(run); });
      return false;
    }
    give_again_locked(run);
    return ++run->times_missed > 1;
  }
  return false;
}

void FleetRunner::say_state() {
  GatewayState state{.id = settings_.id, .let_in = let_in_.here(sys::now())};
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, caller] : callers_) state.callers.push_back(caller);
    state.oldest_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<Milliseconds>(oldest_wait_locked()).count());
    state.redelivered = redelivered_;
  }
  (void)connection_->publish(gateway_subject(settings_.id), to_json(state)).has_value();
}

void FleetRunner::say_heard() {
  std::map<std::string, std::vector<std::string>> heard;
  {
    const std::lock_guard lock(mutex_);
    heard.swap(heard_);
  }
  for (const auto& [worker, runs] : heard) {
    (void)connection_->publish(heard_subject(worker), to_json(runs)).has_value();
  }
}

// What was told while this gateway was not listening, and what was told and is still stored. An end
// of a run that is not known here is left for a while: after a start the ledger's come back.
void FleetRunner::take_late_ends(const std::stop_token& stop) {
  while (pause_unless_stopped(stop, kLateEndsEvery)) {
    while (!stop.stop_requested()) {
      const auto delivery = stream_.next_or_mend(kEndsStream, ends_consumer(settings_.id));
      if (!delivery) break;
      const std::optional<Told> told = read_told_subject(delivery->subject);
      if (!told) continue;
      threads_->post(told->run, [this, told = *told, end = *delivery] {
        const bool known = on_end(told, end.data) || is_over(told.run);
        if (known || (end.delivered > 1 && !find(told.run))) {
          (void)stream_.acknowledge(end).has_value();
        }
      });
    }
  }
}

// ---- The whole -------------------------------------------------------------------------------

std::unique_ptr<engine::Following> FleetRunner::follow(const std::string& run,
                                                       engine::Observer& observer) {
  return std::make_unique<EventsFollowing>(stream_, told_subject("*", "event", kAnyWorker, run),
                                           [&observer](const std::string& data) {
                                             if (const auto happening = read_happening(data))
                                               tell(observer, *happening);
                                           });
}

bool FleetRunner::drain(Nanoseconds patience) {
  std::vector<Shared> left;
  {
    std::unique_lock lock(mutex_);
    closed_ = true;
    ended_.wait_for(lock, patience, [this] { return runs_.empty(); });
    for (const auto& [id, run] : runs_) left.push_back(run);
  }
  // They go on where they are; this gateway's next start, or another gateway, records their ends.
  for (const Shared& run : left) {
    threads_->post(run->id, [this, run] {
      if (run->started || !find(run->id)) return;
      run->listener->on_give_up(
          {.code = Code::kUnavailable, .message = "the service is shutting down"});
      forget(run);
    });
  }
  return left.empty();
}

Status FleetRunner::ready() const {
  const std::lock_guard lock(mutex_);
  TRY(check_nats_locked());
  if (roster_.workers(sys::now()).count > 0) return {};
  return fail(Code::kUnavailable, "the fleet has no worker");
}

bool FleetRunner::has(const runtime::Manifest& language) const {
  const std::lock_guard lock(mutex_);
  return roster_.pool_for(language.name, {}, sys::now()).has_value();
}

engine::RunnerState FleetRunner::state() const {
  const std::lock_guard lock(mutex_);
  return {.waiting = waiting_,
          .running = runs_.size() - waiting_,
          .capacity = roster_.workers(sys::now()).capacity};
}

void FleetRunner::let_in(const std::string& caller, std::size_t count) {
  let_in_.add(caller, count, sys::now());
}

std::size_t FleetRunner::let_in_elsewhere(const std::string& caller) const {
  return let_in_.elsewhere(caller, sys::now());
}

Nanoseconds FleetRunner::oldest_wait_locked() const {
  Nanoseconds oldest{};
  for (const auto& [id, each] : runs_) {
    if (!each->started) oldest = std::max(oldest, sys::now() - each->submitted);
  }
  return oldest;
}

std::vector<engine::Gauge> FleetRunner::gauges() const {
  const std::lock_guard lock(mutex_);
  const Roster::Workers workers = roster_.workers(sys::now());
  std::array<double, kLanes> lanes{};
  for (const auto& [id, each] : runs_) {
    if (each->place == Run::Place::kQueued && !each->started) ++lanes.at(each->queued.lane);
  }
  std::vector<engine::Gauge> all{
      {.name = "belljar_fleet_up", .value = connection_->is_up() ? 1.0 : 0.0},
      {.name = "belljar_fleet_workers", .value = static_cast<double>(workers.count)},
      {.name = "belljar_fleet_running", .value = static_cast<double>(workers.running)},
      {.name = "belljar_fleet_given_again", .value = static_cast<double>(again_)},
      {.name = "belljar_fleet_redelivered", .value = static_cast<double>(redelivered_)},
      {.name = "belljar_fleet_oldest_waiting_seconds",
       .value = std::chrono::duration<double>(oldest_wait_locked()).count()}};
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    all.push_back({.name = "belljar_fleet_waiting",
                   .value = lanes.at(lane),
                   .labels = "lane=\"" + std::to_string(lane) + "\""});
  }
  return all;
}

}  // namespace belljar::fleet
