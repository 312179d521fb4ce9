#include "fleet/worker.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"
#include "fleet/input_receiver.h"
#include "fleet/subjects.h"
#include "model/builtin_policies.h"

namespace belljar::fleet {
namespace {

constexpr Milliseconds kPatience{5000};
constexpr Milliseconds kStateEvery{500};
// Where nobody woke it: a message about new work may be lost.
constexpr std::chrono::seconds kLookEvery{1};
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
  [[nodiscard]] std::optional<Delivery> delivery() {
    const std::lock_guard lock(mutex_);
    return delivery_;
  }
  // Delivered again, because NATS was away for longer than a delivery is left alone.
  void deliver_again(Delivery delivery) {
    const std::lock_guard lock(mutex_);
    delivery_ = std::move(delivery);
  }

  bool on_start(std::uint64_t /*attempt*/) override {
    say("told",
        {.kind = Happening::Kind::kBegun, .worker = worker_.settings_.id, .attempt = attempt_});
    return true;
  }
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
  // What was heard twice is told apart by nobody; a run that is lost is worse.
  // What was typed into one that reads while it runs is not there a second time.
  [[nodiscard]] bool was_heard() const override { return heard_ || input_ != nullptr; }
  void on_stage(StageKind stage) override {
    if (order_.streamed) say("event", {.kind = Happening::Kind::kStage, .stage = stage});
  }
  void on_output(StageKind stage, engine::OutputStream stream, std::string_view bytes) override {
    if (!order_.streamed || stage != StageKind::kRun) return;
    heard_ = true;
    using Kind = Happening::Kind;
    say("event", {.kind = stream == engine::OutputStream::kOut ? Kind::kOut : Kind::kErr,
                  .bytes = std::string(bytes)});
  }
  void on_end(Result<Outcome> outcome) override {
    worker_.finish(order_,
                   {.run = order_.run,
                    .worker = worker_.settings_.id,
                    .outcome = std::move(outcome),
                    .started = true,
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
                    .worker = worker_.settings_.id,
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
  // What is lost on the way the end makes good, streams of a moment without NATS excepted.
  void say(const char* kind, const Happening& happening) {
    (void)worker_.connection_
        ->publish(told_subject(order_.gateway, kind, order_.run), to_json(happening))
        .has_value();
  }
  // A message is smaller than PIPE_BUF and stays whole; a pipe that is full loses it.
  void write(const engine::InputControl& message) {
    [[maybe_unused]] const ssize_t done = ::write(control_.get(), &message, sizeof message);
  }

  Worker& worker_;
  const Order order_;
  const std::uint64_t attempt_;
  bool heard_ = false;
  std::mutex mutex_;
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
  TRY(subscribe(control_subject("*"), [this](const Message& message) { control(message); }));
  TRY(subscribe(order_subject(settings_.id),
                [this](const Message& message) { take_directly(message); }));
  TRY(subscribe(wake_subject(settings_.pool), [this](const Message& /*message*/) {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }));
  TRY(connection_->flush(kPatience));
  threads_.emplace_back([this](const std::stop_token& stop) { keep_alive(stop); });
  threads_.emplace_back([this](const std::stop_token& stop) { pull(stop); });
  for (int i = 0; i < 2; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { tell_ends(stop); });
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
      changed_.wait(lock, stop, [this] { return has_room_locked(); });
      if (stop.stop_requested()) return;
      woken_ = false;
      reserved_ = 1;
    }
    auto delivery = next_delivery(turn);
    const bool found = delivery.has_value();
    if (found) {
      const std::string text = std::exchange(delivery->data, {});
      take(text, std::move(delivery));
    }
    std::unique_lock lock(mutex_);
    reserved_ = 0;
    changed_.notify_all();
    if (found) continue;
    changed_.wait_for(lock, stop, kLookEvery, [this] { return woken_; });
  }
}

std::optional<Delivery> Worker::next_delivery(unsigned turn) {
  const bool from_the_top = turn % kFromTheTop == 0;
  for (unsigned i = 0; i < kLanes; ++i) {
    const unsigned lane = from_the_top ? kLanes - 1 - i : i;
    // Another stream first each time, so that none waits behind the others.
    for (unsigned k = 0; k < streams_; ++k) {
      auto delivery =
          stream_.next(work_stream((turn + k) % streams_), work_consumer(settings_.pool, lane));
      if (!delivery) return std::nullopt;  // NATS is away; it is looked again
      if (*delivery) return *std::move(delivery);
    }
  }
  return std::nullopt;
}

// An order that came directly has no delivery: its gateway sees to it that somebody runs it.
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
                   .worker = settings_.id,
                   .outcome = fail(Code::kInternal, reason),
                   .started = true,
                   .attempt = attempt - 1},
                  std::move(delivery));
  }
  const Order kept = *order;
  if (unix_ms() > kept.expires_ms) {
    return finish(kept,
                  {.run = kept.run,
                   .worker = settings_.id,
                   .outcome = fail(Code::kExhausted, "waited too long in the queue"),
                   .started = false},
                  std::move(delivery));
  }
  const Status taken = hand_over(*std::move(order), attempt, delivery);
  if (taken) return;
  if (taken.error().code != Code::kInvalid) return refuse(kept, std::move(delivery));
  finish(kept,
         {.run = kept.run,
          .worker = settings_.id,
          .outcome = std::unexpected(taken.error()),
          .started = true,
          .attempt = attempt},
         std::move(delivery));
}

bool Worker::has(const std::string& run) const {
  const std::lock_guard lock(mutex_);
  return assignments_.contains(run);
}

// Full, or on the way out: another worker may have room.
void Worker::refuse(const Order& order, std::optional<Delivery> delivery) {
  if (delivery) {
    (void)stream_.give_back(*delivery).has_value();
    return;
  }
  const Happening busy{.kind = Happening::Kind::kBusy, .worker = settings_.id};
  (void)connection_->publish(told_subject(order.gateway, "told", order.run), to_json(busy))
      .has_value();
}

bool Worker::has_room_locked() const {
  return !draining_ && assignments_.size() + reserved_ < settings_.capacity;
}

Status Worker::hand_over(Order order, std::uint64_t attempt, std::optional<Delivery> delivery) {
  const auto assignment = std::make_shared<Assignment>(*this, std::move(order), attempt, delivery);
  const Order& its = assignment->order();
  TRY(assignment->open_input());
  {
    const std::lock_guard lock(mutex_);
    const auto here = assignments_.find(its.run);
    if (here != assignments_.end()) {
      if (delivery) here->second->deliver_again(*std::move(delivery));
      return {};
    }
    // What was fetched has its room already.
    if (!delivery && !has_room_locked()) return fail(Code::kExhausted, "no room");
    assignments_.emplace(its.run, assignment);
  }
  Status taken = begin_run(assignment);
  if (taken) return {};
  const std::lock_guard lock(mutex_);
  assignments_.erase(its.run);
  changed_.notify_all();
  return taken;
}

Status Worker::begin_run(const std::shared_ptr<Assignment>& assignment) {
  const Order& its = assignment->order();
  const Nanoseconds deadline = sys::now() + Milliseconds(its.expires_ms - unix_ms());
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

void Worker::finish(const Order& order, End end, std::optional<Delivery> delivery) {
  Finished finished{.subject = told_subject(order.gateway, "end", order.run),
                    .run = order.run,
                    .text = to_json(end),
                    .delivery = std::move(delivery)};
  const std::lock_guard lock(mutex_);
  finished_.push_back(std::move(finished));
  changed_.notify_all();
}

// An end is stored before the work that it is of is acknowledged: what dies between the two is run
// again, and its first end counts.
void Worker::tell_ends(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Finished finished;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return !finished_.empty(); });
      if (stop.stop_requested()) return;
      finished = std::move(finished_.front());
      finished_.pop_front();
      ++telling_;
    }
    const bool told = tell(finished);
    std::unique_lock lock(mutex_);
    --telling_;
    if (told) {
      assignments_.erase(finished.run);
    } else {
      finished_.push_front(std::move(finished));
    }
    changed_.notify_all();
    constexpr Milliseconds kPause{200};
    if (!told) changed_.wait_for(lock, stop, kPause, [] { return false; });
  }
}

bool Worker::tell(Finished& finished) {
  if (finished.text.size() > kMostInline && !finished.in_bucket) {
    const std::string object = "end." + finished.run + "." + settings_.id;
    if (!objects_.put(object, finished.text)) return false;
    finished.text = reference_to(object);
    finished.in_bucket = true;
  }
  if (!stream_.publish(finished.subject, finished.text, "", kPatience)) return false;
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
          .running = assignments_.size(),
          .draining = draining_};
}

void Worker::say_state() {
  (void)connection_->publish(worker_subject(settings_.id), to_json(state())).has_value();
}

void Worker::keep_alive(const std::stop_token& stop) {
  Nanoseconds held = sys::now();
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  do {
    say_state();
    if (sys::now() - held < kHoldEvery) continue;
    held = sys::now();
    std::vector<std::shared_ptr<Assignment>> all;
    {
      const std::lock_guard inner(mutex_);
      for (const auto& [run, each] : assignments_) all.push_back(each);
    }
    for (const auto& each : all) {
      if (const auto delivery = each->delivery()) (void)stream_.hold(*delivery).has_value();
    }
  } while (!woken.wait_for(lock, stop, kStateEvery, [&stop] { return stop.stop_requested(); }));
}

bool Worker::drain(Nanoseconds patience) {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  say_state();
  std::unique_lock lock(mutex_);
  const bool done = changed_.wait_for(lock, patience, [this] {
    return assignments_.empty() && finished_.empty() && telling_ == 0;
  });
  lock.unlock();
  (void)connection_->flush(kPatience).has_value();
  return done;
}

}  // namespace belljar::fleet
