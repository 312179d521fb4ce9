#include "fleet/worker.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/id.h"
#include "base/pause.h"
#include "base/sys.h"
#include "base/text.h"
#include "fleet/input_receiver.h"
#include "fleet/subjects.h"
#include "model/builtin_policies.h"

namespace belljar::fleet {
namespace {

constexpr Milliseconds kPatience{5000};
constexpr Milliseconds kLookEvery{100};
constexpr Milliseconds kSayBegunAfter{50};
constexpr Milliseconds kBeginWithin{10'000};
// All lanes: a message about new work may be lost, and what a worker gives back is told to nobody.
constexpr std::chrono::seconds kPullEvery{1};
// Of a lane that does not answer.
constexpr Milliseconds kProbePatience{1000};
constexpr std::chrono::seconds kShortestSilence{1};
constexpr std::chrono::seconds kLongestSilence{30};
// Streams of work may be added while it runs.
constexpr std::chrono::seconds kLookForStreamsEvery{5};
// Every so manieth run comes from the highest lane that has one.
constexpr unsigned kFromTheTop = 8;

const std::map<std::string, Policy, std::less<>>& policies() {
  static const auto all = [] {
    std::map<std::string, Policy, std::less<>> made;
    for (const std::string_view name : builtin_policy_names()) {
      if (auto policy = builtin_policy(name)) made.emplace(name, *std::move(policy));
    }
    return made;
  }();
  return all;
}

}  // namespace

// One run, from its order to its end, as the engine tells of it.
class Worker::Assignment : public engine::RunListener {
 public:
  Assignment(Worker& worker, Order order, std::uint64_t attempt, std::optional<Delivery> delivery)
      : worker_(worker),
        order_(std::move(order)),
        attempt_(attempt),
        delivery_(std::move(delivery)) {}

  // Before it is begun.
  Status open_input() {
    if (order_.reads == Order::Reads::kBytes) return {};
    TRY_ASSIGN(input_,
               InputReceiver::make(
                   [this](std::uint64_t frames, std::uint64_t written) {
                     say("told",
                         {.kind = Happening::Kind::kTaken, .frames = frames, .written = written});
                   },
                   [this](const engine::InputControl& each) { control(each); }));
    return {};
  }

  [[nodiscard]] const std::string& id() const override { return order_.run; }
  [[nodiscard]] const Order& order() const { return order_; }
  [[nodiscard]] std::uint64_t attempt() const { return attempt_; }
  [[nodiscard]] std::optional<Delivery> delivery() {
    const std::lock_guard lock(mutex_);
    return delivery_;
  }
  // Delivered again, because NATS was away for longer than a delivery is left alone.
  void deliver_again(Delivery delivery) {
    const std::lock_guard lock(mutex_);
    delivery_ = std::move(delivery);
  }

  // Most are over in a moment, and their end says it too. Who follows one wants to know at once,
  // and so does who types into it.
  bool on_start(std::uint64_t /*attempt*/) override {
    const std::lock_guard lock(mutex_);
    began_ = sys::now();
    told_begun_ = order_.streamed || input_ != nullptr;
    if (told_begun_) say_begun();
    return true;
  }
  void tell_begun() {
    const std::lock_guard lock(mutex_);
    if (told_begun_ || began_ == Nanoseconds{} || sys::now() - began_ < kSayBegunAfter) return;
    told_begun_ = true;
    say_begun();
  }
  void tell_busy() { say("told", {.kind = Happening::Kind::kBusy}); }
  [[nodiscard]] engine::Input input() const override {
    engine::Input made;
    if (input_ != nullptr) {
      made.kind = order_.reads == Order::Reads::kTerminal ? engine::Input::Kind::kTerminal
                                                          : engine::Input::Kind::kDescriptor;
      made.fd = input_->input();
      return made;
    }
    if (!order_.input.empty()) made.kind = engine::Input::Kind::kBytes;
    made.bytes = order_.input;
    return made;
  }
  Result<Fd> open_control() override {
    TRY_ASSIGN(sys::Pipe pipe, sys::make_pipe());
    TRY(sys::set_nonblocking(pipe.write.get()));
    const std::lock_guard lock(mutex_);
    control_ = std::move(pipe.write);
    for (const engine::InputControl& each : held_) write(each);
    return std::move(pipe.read);
  }
  void forward_control(std::function<void(const engine::InputControl&)> /*sink*/) override {}
  [[nodiscard]] bool may_begin_again() const override { return !took_effect_; }
  void on_input() override { took_effect_ = true; }
  void on_stage(StageKind stage) override {
    if (order_.streamed) say("event", {.kind = Happening::Kind::kStage, .stage = stage});
  }
  void on_output(StageKind stage, engine::OutputStream stream, std::string_view bytes) override {
    if (!order_.streamed || stage != StageKind::kRun) return;
    took_effect_ = true;
    using Kind = Happening::Kind;
    say("event", {.kind = stream == engine::OutputStream::kOut ? Kind::kOut : Kind::kErr,
                  .bytes = std::string(bytes)});
  }
  void on_end(Result<Outcome> outcome) override {
    worker_.finish(order_,
                   {.run = order_.run,
                    .outcome = std::move(outcome),
                    .started = true,
                    .began_us_ago = began_us_ago(),
                    .attempt = attempt_},
                   delivery());
  }
  void on_unpacked(Result<std::vector<File>> files) {
    if (!files) return on_end(std::unexpected(files.error()));
    Outcome outcome;
    outcome.status = RunStatus::kOk;
    outcome.artifacts = *std::move(files);
    on_end(std::move(outcome));
  }
  void on_give_up(const Error& error) override {
    worker_.finish(order_,
                   {.run = order_.run,
                    .outcome = std::unexpected(error),
                    .started = false,
                    .attempt = attempt_},
                   delivery());
  }
  void take(const InputFrame& frame) {
    if (input_ != nullptr) input_->take(frame);
  }
  void control(const engine::InputControl& message) {
    constexpr std::size_t kMostHeld = 64;
    const std::lock_guard lock(mutex_);
    // Also for the next time that it is begun, where a warden fell.
    if (held_.size() < kMostHeld) held_.push_back(message);
    if (control_.valid()) write(message);
  }

 private:
  void say_begun() { say("told", {.kind = Happening::Kind::kBegun, .attempt = attempt_}); }
  // Nothing is told of its beginning after this.
  std::int64_t began_us_ago() {
    const std::lock_guard lock(mutex_);
    told_begun_ = true;
    if (began_ == Nanoseconds{}) return 0;
    return std::chrono::duration_cast<std::chrono::microseconds>(sys::now() - began_).count();
  }
  // What is lost on the way the end makes good, streams of a moment without NATS excepted.
  void say(const char* kind, const Happening& happening) {
    (void)worker_.connection_
        ->publish(told_subject(order_.gateway, kind, worker_.settings_.id, order_.run),
                  to_json(happening))
        .has_value();
  }
  // A message is smaller than PIPE_BUF and stays whole; a pipe that is full loses it.
  void write(const engine::InputControl& message) {
    [[maybe_unused]] const ssize_t done = ::write(control_.get(), &message, sizeof message);
  }

  Worker& worker_;
  const Order order_;
  const std::uint64_t attempt_;
  bool took_effect_ = false;  // somebody has heard of it, or it has read what was typed
  std::mutex mutex_;
  Nanoseconds began_{};
  bool told_begun_ = false;
  std::optional<Delivery> delivery_;
  Fd control_;
  std::vector<engine::InputControl> held_;
  // Last: it uses what stands above.
  std::unique_ptr<InputReceiver> input_;
};

Worker::Worker(std::unique_ptr<Connection> connection,
               engine::Runner& runner,
               WorkerSettings settings)
    : connection_(std::move(connection)),
      runner_(runner),
      settings_(std::move(settings)),
      stream_(*connection_),
      objects_(stream_, kBucket) {}

Worker::~Worker() {
  for (std::jthread& each : threads_) each.request_stop();
  threads_.clear();
  subscriptions_.clear();
}

Result<std::unique_ptr<Worker>> Worker::open(std::unique_ptr<Connection> connection,
                                             engine::Runner& runner,
                                             WorkerSettings settings) {
  auto worker =
      std::unique_ptr<Worker>(new Worker(std::move(connection), runner, std::move(settings)));
  TRY(worker->begin());
  return worker;
}

Status Worker::begin() {
  TRY(look_for_streams(stream_));
  TRY(find_streams());
  const auto subscribe = [this](const std::string& subject,
                                std::function<void(Message)> take) -> Status {
    TRY_ASSIGN(auto made, connection_->subscribe(subject, std::move(take)));
    subscriptions_.push_back(std::move(made));
    return {};
  };
  for (const std::string& subject : {control_subject(settings_.id, "*"), cancel_subject("*")}) {
    TRY(subscribe(subject, [this](const Message& message) { control(message); }));
  }
  TRY(subscribe(heard_subject(settings_.id),
                [this](const Message& message) { take_heard(message); }));
  TRY(subscribe(order_subject(settings_.id),
                [this](const Message& message) { take_directly(message); }));
  TRY(subscribe(kRollCall, [this](const Message& message) { heartbeat_.hear(message); }));
  TRY(subscribe(wake_subject(settings_.pool), [this](const Message& message) {
    const auto lane = parse_count(message.data);
    if (!lane || *lane >= kLanes) return;
    const std::lock_guard lock(mutex_);
    lanes_.set(*lane);
    pulls_.notify_all();
  }));
  TRY(connection_->flush(kPatience));
  threads_.emplace_back([this](const std::stop_token& stop) { keep_alive(stop); });
  threads_.emplace_back([this](const std::stop_token& stop) { pull(stop); });
  for (int i = 0; i < 2; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { store_ends(stop); });
  }
  return {};
}

// Those of work, as many as gateways have made.
Status Worker::find_streams() {
  for (; streams_ < kMostWorkStreams; ++streams_) {
    const std::string name = work_stream(streams_);
    const auto there = stream_.stream_state(name);
    if (!there && there.error().code == Code::kNotFound) return {};
    if (!there) return std::unexpected(there.error());
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      TRY(stream_.make_consumer(name, work_consumer(settings_.pool, lane),
                                work_subject(streams_, settings_.pool, lane), kAckWait));
    }
  }
  return {};
}

// ---- Taking runs -----------------------------------------------------------------------------

void Worker::take_directly(const Message& message) {
  take(message.data, std::nullopt);
}

void Worker::pull(const std::stop_token& stop) {
  Nanoseconds looked = sys::now();
  for (unsigned turn = 1; !stop.stop_requested(); ++turn) {
    if (sys::now() - looked > kLookForStreamsEvery) {
      (void)find_streams().has_value();
      looked = sys::now();
    }
    {
      std::unique_lock lock(mutex_);
      pull_waits_ = true;
      pulls_.wait(lock, stop, [this] { return may_pull_locked(); });
      pulls_.wait_for(lock, stop, swept_ + kPullEvery - sys::now(),
                      [this] { return lanes_.any(); });
      pull_waits_ = false;
      if (stop.stop_requested()) return;
      if (!may_pull_locked()) continue;
      if (sys::now() - swept_ >= kPullEvery) {
        lanes_.set();
        swept_ = sys::now();
      }
      reserved_ = 1;
      is_queues_turn_ = false;
    }
    if (auto delivery = next_delivery(turn)) {
      const std::string text = std::exchange(delivery->data, {});
      take(text, std::move(delivery));
    }
    {
      const std::lock_guard lock(mutex_);
      reserved_ = 0;
      if (draining_) drained_.notify_all();
    }
    begin_from_line();
  }
}

std::optional<Delivery> Worker::next_delivery(unsigned turn) {
  const bool from_the_top = turn % kFromTheTop == 0;
  for (unsigned i = 0; i < kLanes; ++i) {
    const unsigned lane = from_the_top ? kLanes - 1 - i : i;
    if (!is_lane_to_look_into(lane)) continue;
    // Another stream first each time, so that none waits behind the others.
    for (unsigned k = 0; k < streams_; ++k) {
      auto delivery = next_of((turn + k) % streams_, lane);
      if (!delivery) continue;
      const std::lock_guard lock(mutex_);
      lanes_.set(lane);  // it may have more
      return delivery;
    }
  }
  return std::nullopt;
}

std::optional<Delivery> Worker::next_of(unsigned stream, unsigned lane) {
  Silence& silence = silences_.at(stream).at(lane);
  const Nanoseconds asked = sys::now();
  if (asked < silence.until) return std::nullopt;
  auto delivery = stream_.next(work_stream(stream), work_consumer(settings_.pool, lane),
                               silence.pause == Nanoseconds{} ? kPatience : kProbePatience);
  if (delivery) {
    silence = {};
    return *std::move(delivery);
  }
  // Where NATS is away, or says at once that nobody leads now, nothing was kept waiting.
  if (sys::now() - asked >= kProbePatience) {
    silence.pause = std::clamp<Nanoseconds>(2 * silence.pause, kShortestSilence, kLongestSilence);
    silence.until = sys::now() + silence.pause;
  }
  return std::nullopt;
}

// Not a second time before somebody says that there is something: each look is a request.
bool Worker::is_lane_to_look_into(unsigned lane) {
  const std::lock_guard lock(mutex_);
  const bool is = lanes_.test(lane);
  lanes_.reset(lane);
  return is;
}

// An order that came directly has no delivery: its gateway sees to it that somebody runs it, and
// may have put it into the queue as well by the time that its turn comes here.
void Worker::take(const std::string& text, std::optional<Delivery> delivery) {
  // Nobody can run what is not there or makes no sense; what is only away is delivered again.
  const auto drop = [this, &delivery] {
    if (delivery) (void)stream_.acknowledge(*delivery).has_value();
  };
  auto parcel = read_parcel(text);
  if (!parcel) return drop();
  Result<Order> order = std::move(parcel->order);
  if (!parcel->object.empty()) {
    const auto got = objects_.get(parcel->object);
    if (!got && got.error().code == Code::kUnavailable) return;
    order = got ? read_order(*got) : std::unexpected(got.error());
  }
  if (!order) return drop();
  const std::uint64_t deaths = parcel->past.deaths + (delivery ? delivery->delivered - 1 : 0);
  const std::uint64_t attempt = parcel->past.attempts + (delivery ? delivery->delivered : 1);
  const bool has_input = order->reads == Order::Reads::kBytes;
  if (deaths >= (has_input ? kMostDeaths : 1) && !has(order->run)) {
    const std::string reason =
        has_input ? "parked: the worker that ran it died " + std::to_string(deaths) + " times"
                  : std::string(kInputIsGone);
    // This one was not given to be run.
    return finish(*order,
                  {.run = order->run,
                   .outcome = fail(Code::kInternal, reason),
                   .started = true,
                   .attempt = attempt - 1},
                  std::move(delivery));
  }
  // What was given to a worker before has begun, as far as is known: it waits no more.
  if (attempt == 1 && !has(order->run) && unix_ms() > order->expires_ms) {
    return finish(*order,
                  {.run = order->run,
                   .outcome = fail(Code::kExhausted, "waited too long in the queue"),
                   .started = false},
                  std::move(delivery));
  }
  const auto assignment =
      std::make_shared<Assignment>(*this, *std::move(order), attempt, std::move(delivery));
  if (const Status taken = hand_over(assignment); !taken) do_without(*assignment, taken.error());
}

// It was not begun: nobody can run it, or another worker may.
void Worker::do_without(Assignment& assignment, const Error& why) {
  if (why.code != Code::kInvalid) return refuse(assignment);
  finish(assignment.order(),
         {.run = assignment.id(),
          .outcome = std::unexpected(why),
          .started = true,
          .attempt = assignment.attempt()},
         assignment.delivery());
}

bool Worker::has(const std::string& run) const {
  const std::lock_guard lock(mutex_);
  return assignments_.contains(run);
}

// Full, or on the way out: another worker may have room.
void Worker::refuse(Assignment& assignment) {
  if (const auto delivery = assignment.delivery()) {
    (void)stream_.give_back(*delivery).has_value();
    return;
  }
  assignment.tell_busy();
}

bool Worker::has_room_locked() const {
  return !draining_ && running_locked() + reserved_ < settings_.capacity;
}

bool Worker::may_pull_locked() const {
  return has_room_locked() && (line_.empty() || is_queues_turn_);
}

std::size_t Worker::running_locked() const {
  return assignments_.size() - line_.size();
}

// Who waits is woken only where this may be what it waits for: runs are many and short.
void Worker::let_go(const std::string& run) {
  {
    const std::lock_guard lock(mutex_);
    const bool was_full = !has_room_locked();
    assignments_.erase(run);
    // The same run may have come directly meanwhile, from a gateway that took it over.
    std::erase_if(line_, [&run](const InLine& each) { return each.run->id() == run; });
    if (was_full) pulls_.notify_all();
    if (draining_) drained_.notify_all();
  }
  begin_from_line();
}

// What waits here and what is in the queue take turns where there are both: neither may keep the
// other waiting for ever. While something is fetched, which may take long where JetStream hangs,
// places are the line's.
void Worker::begin_from_line() {
  while (true) {
    std::shared_ptr<Assignment> next;
    {
      const std::lock_guard lock(mutex_);
      if (line_.empty() || !has_room_locked()) return;
      const bool queue_waits = lanes_.any() || sys::now() - swept_ >= kPullEvery;
      if (is_queues_turn_ && queue_waits && pull_waits_) return;
      is_queues_turn_ = true;
      next = std::move(line_.front().run);
      line_.pop_front();
      if (may_pull_locked()) pulls_.notify_all();
    }
    if (const Status begun = begin_run(next); !begun) do_without(*next, begun.error());
  }
}

// Those that have waited for a place here long enough; on the way out, all.
void Worker::leave_line(Nanoseconds now) {
  std::vector<std::shared_ptr<Assignment>> left;
  {
    const std::lock_guard lock(mutex_);
    while (!line_.empty() && (draining_ || now - line_.front().since > settings_.in_line_for)) {
      left.push_back(std::move(line_.front().run));
      line_.pop_front();
      assignments_.erase(left.back()->id());
    }
    if (!left.empty() && may_pull_locked()) pulls_.notify_all();
  }
  for (const auto& each : left) refuse(*each);
}

Status Worker::hand_over(const std::shared_ptr<Assignment>& assignment) {
  TRY(assignment->open_input());
  {
    auto delivery = assignment->delivery();
    const std::lock_guard lock(mutex_);
    const auto here = assignments_.find(assignment->id());
    if (here != assignments_.end()) {
      if (delivery) here->second->deliver_again(*std::move(delivery));
      return {};
    }
    const auto over = unheard_.find(assignment->id());
    if (over != unheard_.end()) {
      if (delivery) over->second.finished.delivery = *std::move(delivery);
      return {};
    }
    // What was fetched has its room already; what came directly overtakes none that waits.
    const bool waits = !delivery && (!line_.empty() || !has_room_locked());
    if (waits && (draining_ || line_.size() >= settings_.capacity)) {
      return fail(Code::kExhausted, "no room");
    }
    assignments_.emplace(assignment->id(), assignment);
    if (waits) {
      line_.push_back({.run = assignment, .since = sys::now()});
      return {};
    }
  }
  return begin_run(assignment);
}

// It has its place, and gives it back where it is not begun.
Status Worker::begin_run(const std::shared_ptr<Assignment>& assignment) {
  Status begun = submit(assignment);
  if (!begun) let_go(assignment->id());
  return begun;
}

Status Worker::submit(const std::shared_ptr<Assignment>& assignment) {
  const Order& its = assignment->order();
  // There is room for it; one that is begun again may be past its time in the queue.
  const Nanoseconds deadline =
      sys::now() + std::max(Milliseconds(its.expires_ms - unix_ms()), kBeginWithin);
  if (its.unpack) {
    (void)assignment->on_start(0);
    return runner_.unpack({.caller = its.caller,
                           .archive = its.input,
                           .deadline = deadline,
                           .done = [assignment](Result<std::vector<File>> files) {
                             assignment->on_unpacked(std::move(files));
                           }});
  }
  const auto policy = policies().find(its.policy);
  if (policy == policies().end()) {
    return fail(Code::kInvalid, "policy: this worker has no " + quote(its.policy));
  }
  return runner_.submit({.caller = its.caller,
                         .language = its.language,
                         .policy = &policy->second,
                         .submission = {assignment, &its.submission},
                         .runs = {assignment},
                         .memory = its.memory,
                         .cpus_milli = its.cpus_milli,
                         .deadline = deadline,
                         .streamed = its.streamed,
                         .interactive = its.reads != Order::Reads::kBytes});
}

void Worker::control(const Message& message) {
  const auto frame = read_input_frame(message.data);
  const auto read = read_control(message.data);
  const std::string run = message.subject.substr(message.subject.rfind('.') + 1);
  std::shared_ptr<Assignment> assignment;
  {
    const std::lock_guard lock(mutex_);
    const auto found = assignments_.find(run);
    if (found == assignments_.end()) return;
    assignment = found->second;
  }
  if (frame) return assignment->take(*frame);
  if (read) assignment->control(*read);
}

// ---- Ends ------------------------------------------------------------------------------------

// What is acknowledged has an end that is recorded or stored: what dies before that is run again,
// and its first end counts.
void Worker::finish(const Order& order, End end, std::optional<Delivery> delivery) {
  Finished finished{.gateway = order.gateway,
                    .run = order.run,
                    .text = to_json(end),
                    .delivery = std::move(delivery)};
  if (finished.text.size() <= kMostInline && say_end(finished)) return;
  const std::lock_guard lock(mutex_);
  finished_.push_back(std::move(finished));
  stores_.notify_one();
}

// Nothing is stored for an end that its gateway hears at once, which is nearly each.
bool Worker::say_end(const Finished& finished) {
  {
    const std::lock_guard lock(mutex_);
    unheard_[finished.run] = {.finished = finished, .said = sys::now()};
  }
  const bool said =
      connection_
          ->publish(told_subject(finished.gateway, "done", settings_.id, finished.run),
                    finished.text)
          .has_value();
  if (said) {
    let_go(finished.run);
  } else {
    const std::lock_guard lock(mutex_);
    unheard_.erase(finished.run);
  }
  return said;
}

void Worker::take_heard(const Message& message) {
  const auto runs = read_runs(message.data);
  if (!runs) return;
  std::vector<Delivery> done;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& run : *runs) {
      const auto found = unheard_.find(run);
      if (found == unheard_.end()) continue;
      auto& delivery = found->second.finished.delivery;
      if (delivery) done.push_back(*std::move(delivery));
      unheard_.erase(found);
    }
    if (draining_) drained_.notify_all();
  }
  for (const Delivery& each : done) (void)stream_.acknowledge(each).has_value();
}

// Their gateway is away, or the message was lost.
void Worker::store_unheard() {
  const std::lock_guard lock(mutex_);
  for (auto each = unheard_.begin(); each != unheard_.end();) {
    if (sys::now() - each->second.said < kHeardWithin) {
      ++each;
      continue;
    }
    finished_.push_back(std::move(each->second.finished));
    each = unheard_.erase(each);
    stores_.notify_one();
  }
}

void Worker::store_ends(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Finished finished;
    {
      std::unique_lock lock(mutex_);
      stores_.wait(lock, stop, [this] { return !finished_.empty(); });
      if (stop.stop_requested()) return;
      finished = std::move(finished_.front());
      finished_.pop_front();
      ++storing_;
    }
    const bool stored = store(finished);
    std::unique_lock lock(mutex_);
    --storing_;
    if (stored) {
      lock.unlock();
      let_go(finished.run);
      continue;
    }
    finished_.push_front(std::move(finished));
    constexpr Milliseconds kPause{200};
    stores_.wait_for(lock, stop, kPause, [] { return false; });
  }
}

bool Worker::store(Finished& finished) {
  if (finished.text.size() > kMostInline && !finished.in_bucket) {
    const std::string object = end_object(finished.run, settings_.id);
    if (!objects_.put(object, finished.text)) return false;
    finished.text = reference_to(object);
    finished.in_bucket = true;
  }
  const std::string subject = told_subject(finished.gateway, "end", settings_.id, finished.run);
  if (!stream_.publish(subject, finished.text, "", kPatience)) return false;
  if (finished.delivery) (void)stream_.acknowledge(*finished.delivery).has_value();
  return true;
}

// ---- Being there -----------------------------------------------------------------------------

WorkerState Worker::state() const {
  const std::lock_guard lock(mutex_);
  return {.id = settings_.id,
          .pool = settings_.pool,
          .kernel = settings_.kernel,
          .languages = settings_.languages,
          .labels = settings_.labels,
          .capacity = settings_.capacity,
          .running = running_locked(),
          .waiting = line_.size(),
          .draining = draining_};
}

void Worker::say_state() {
  (void)connection_->publish(worker_subject(settings_.id), to_json(state())).has_value();
}

void Worker::keep_alive(const std::stop_token& stop) {
  Nanoseconds held = sys::now();
  do {
    leave_line(sys::now());
    std::vector<std::shared_ptr<Assignment>> all;
    {
      const std::lock_guard inner(mutex_);
      for (const auto& [run, each] : assignments_) all.push_back(each);
    }
    for (const auto& each : all) each->tell_begun();
    if (!heartbeat_.is_due(sys::now())) continue;
    say_state();
    store_unheard();
    if (sys::now() - held < kHoldEvery) continue;
    held = sys::now();
    for (const auto& each : all) {
      if (const auto delivery = each->delivery()) (void)stream_.hold(*delivery).has_value();
    }
  } while (pause_unless_stopped(stop, kLookEvery));
}

bool Worker::drain(Nanoseconds patience) {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  leave_line(sys::now());
  say_state();
  std::unique_lock lock(mutex_);
  const bool done = drained_.wait_for(lock, patience, [this] {
    // What is being fetched is taken, whatever comes meanwhile.
    return reserved_ == 0 && assignments_.empty() && unheard_.empty() && finished_.empty() &&
           storing_ == 0;
  });
  lock.unlock();
  (void)connection_->flush(kPatience).has_value();
  return done;
}

}  // namespace belljar::fleet
