// What every Runner does. There is no warden here: each run ends with an error that says so, at
// whichever end of NATS.
#include "engine/runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"
#include "engine/local_runner.h"
#include "fleet/fleet_runner.h"
#include "fleet/nats_server.h"
#include "fleet/object_bucket.h"
#include "fleet/subjects.h"
#include "fleet/worker.h"
#include "model/builtin_policies.h"

namespace belljar::fleet {
namespace {

constexpr std::chrono::seconds kLong{60};

// Counts what it is told.
class Listener : public engine::RunListener {
 public:
  explicit Listener(std::string id, bool wanted = true) : id_(std::move(id)), wanted_(wanted) {}

  [[nodiscard]] const std::string& id() const override { return id_; }
  bool on_start(std::uint64_t attempt) override {
    const std::lock_guard lock(mutex_);
    ++starts;
    attempts = std::max(attempts, attempt);
    changed_.notify_all();
    return wanted_;
  }
  [[nodiscard]] engine::Input input() const override {
    if (!pipe.read.valid()) return {};
    return {.kind = engine::Input::Kind::kDescriptor, .fd = pipe.read.get()};
  }
  Result<Fd> open_control() override { return Fd(); }
  void forward_control(std::function<void(const engine::InputControl&)> /*sink*/) override {}
  [[nodiscard]] bool may_begin_again() const override { return true; }
  void on_end(Result<Outcome> outcome) override {
    const std::lock_guard lock(mutex_);
    ++ends;
    if (!outcome) error = outcome.error();
    changed_.notify_all();
  }
  void on_give_up(const Error& why) override {
    const std::lock_guard lock(mutex_);
    ++give_ups;
    error = why;
    changed_.notify_all();
  }
  // Until it has been told the last it will be told.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kLong,
                             [this] { return ends + give_ups > 0 || (!wanted_ && starts > 0); });
  }

  sys::Pipe pipe;  // what it reads while it runs, if that is valid
  int starts = 0;
  std::uint64_t attempts = 0;
  int ends = 0;
  int give_ups = 0;
  Error error;

 private:
  const std::string id_;
  const bool wanted_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

const runtime::Catalog& catalog() {
  static const auto opened = runtime::Catalog::open("");
  return *opened;
}

// One for each kind of runner; both have threads of this process to run on.
class Local {
 public:
  engine::Runner& runner() { return runner_; }

 private:
  engine::Dispatcher dispatcher_{
      {.threads = 2, .queue_per_caller = 100},
      []() -> Result<warden::Client> { return fail(Code::kUnavailable, "no warden here"); }};
  engine::LocalRunner runner_{dispatcher_, catalog(), {}, {{"region", "eu"}}};
};

class Fleet {
 public:
  explicit Fleet(std::uint64_t streams = 1) {
    server_.make_streams(streams);
    auto worker = Worker::open(server_.connect(), local_.runner(),
                               {.id = worker_id("w", "1"),
                                .pool = "pool",
                                .languages = {"python"},
                                .labels = {{"region", "eu"}},
                                .capacity = 2});
    EXPECT_TRUE(worker.has_value()) << (worker ? "" : worker.error().message);
    worker_ = *std::move(worker);
    auto runner = FleetRunner::open(
        server_.connect(), {.id = "gateway_1", .queue_per_caller = 100, .work_streams = streams});
    EXPECT_TRUE(runner.has_value()) << (runner ? "" : runner.error().message);
    runner_ = *std::move(runner);
  }
  ~Fleet() { EXPECT_TRUE(worker_->drain(kLong)); }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;
  engine::Runner& runner() { return *runner_; }
  const NatsServer& server() { return server_; }

 private:
  NatsServer server_;
  Local local_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<FleetRunner> runner_;
};

template <typename Maker>
class Runners : public testing::Test {
 protected:
  engine::Task task(std::vector<std::shared_ptr<engine::RunListener>> runs) {
    auto submission = std::make_shared<Submission>();
    submission->language = "python";
    submission->files = {{.path = "main.py", .content = "pass\n", .executable = false}};
    return {.caller = "ada",
            .language = "python",
            .policy = &policy_,
            .submission = std::move(submission),
            .runs = std::move(runs),
            .memory = 1,
            .cpus_milli = 1,
            .deadline = sys::now() + kLong};
  }
  engine::Runner& runner() { return maker_.runner(); }

 private:
  const Policy policy_ = *builtin_policy("default");
  Maker maker_;
};

using Makers = testing::Types<Local, Fleet>;
TYPED_TEST_SUITE(Runners, Makers);

TYPED_TEST(Runners, EachRunIsStartedOnceAndEndedOnce) {
  using engine::Urgency;
  std::vector<std::shared_ptr<Listener>> all;
  for (const Urgency urgency : {Urgency::kInteractive, Urgency::kAsynchronous, Urgency::kBatch}) {
    std::vector<std::shared_ptr<engine::RunListener>> runs;
    for (int i = 0; i < 3; ++i) {
      all.push_back(std::make_shared<Listener>("run_" + std::to_string(all.size())));
      runs.push_back(all.back());
    }
    engine::Task task = this->task(runs);
    task.urgency = urgency;
    ASSERT_TRUE(this->runner().check(task, 1).has_value());
    ASSERT_TRUE(this->runner().submit(std::move(task)).has_value());
  }
  for (const auto& each : all) ASSERT_TRUE(each->wait()) << each->id();
  EXPECT_TRUE(this->runner().drain(kLong));
  for (const auto& each : all) {
    EXPECT_EQ(each->starts, 1) << each->id();
    EXPECT_EQ(each->ends, 1) << each->id();
    EXPECT_EQ(each->give_ups, 0) << each->id();
    EXPECT_EQ(each->error.message, "no warden here");
  }
  EXPECT_EQ(this->runner().state().waiting, 0U);
  EXPECT_EQ(this->runner().state().running, 0U);
}

TYPED_TEST(Runners, ARunThatIsNotWantedAnyMoreIsToldNothingElse) {
  const auto unwanted = std::make_shared<Listener>("run_unwanted", false);
  ASSERT_TRUE(this->runner().submit(this->task({unwanted})).has_value());
  ASSERT_TRUE(unwanted->wait());
  EXPECT_TRUE(this->runner().drain(kLong));
  EXPECT_EQ(unwanted->starts, 1);
  EXPECT_EQ(unwanted->ends + unwanted->give_ups, 0);
}

TYPED_TEST(Runners, MoreThanMayWaitAreRefused) {
  const auto run = std::make_shared<Listener>("run_many");
  EXPECT_EQ(this->runner().check(this->task({run}), 101).error().code, Code::kInvalid);
  EXPECT_TRUE(this->runner().check(this->task({run}), 100).has_value());
}

TYPED_TEST(Runners, NothingIsTakenAfterADrain) {
  EXPECT_TRUE(this->runner().drain(kLong));
  const auto run = std::make_shared<Listener>("run_after");
  EXPECT_EQ(this->runner().check(this->task({run}), 1).error().code, Code::kUnavailable);
  EXPECT_EQ(this->runner().submit(this->task({run})).error().code, Code::kUnavailable);
  EXPECT_EQ(run->starts + run->ends + run->give_ups, 0);
}

TYPED_TEST(Runners, ALabelThatIsNotThereIsRefused) {
  const auto run = std::make_shared<Listener>("run_labelled");
  engine::Task task = this->task({run});
  task.labels = {{"region", "us"}};
  EXPECT_EQ(this->runner().check(task, 1).error().code, Code::kUnavailable);
  EXPECT_NE(this->runner().check(task, 1).error().message.find("region=us"), std::string::npos);
  const auto done = [](const Result<std::vector<File>>&) { ADD_FAILURE() << "nobody unpacks"; };
  EXPECT_EQ(this->runner()
                .unpack({.caller = "ada", .labels = task.labels, .deadline = {}, .done = done})
                .error()
                .code,
            Code::kUnavailable);
  task.labels = {{"region", "eu"}};
  ASSERT_TRUE(this->runner().check(task, 1).has_value());
  ASSERT_TRUE(this->runner().submit(std::move(task)).has_value());
  ASSERT_TRUE(run->wait());
  EXPECT_EQ(run->ends, 1);
}

TYPED_TEST(Runners, AnArchiveIsUnpackedOrTheReasonToldOnce) {
  std::mutex mutex;
  std::condition_variable changed;
  int told = 0;
  Error error;
  for (const std::size_t size : {1U, 3'000'000U}) {
    ASSERT_TRUE(this->runner()
                    .unpack({.caller = "ada",
                             .archive = std::string(size, 'x'),
                             .deadline = sys::now() + kLong,
                             .done =
                                 [&](const Result<std::vector<File>>& files) {
                                   const std::lock_guard lock(mutex);
                                   ++told;
                                   if (!files) error = files.error();
                                   changed.notify_all();
                                 }})
                    .has_value());
  }
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, kLong, [&told] { return told == 2; }));
  lock.unlock();
  EXPECT_TRUE(this->runner().drain(kLong));
  EXPECT_EQ(told, 2);
  EXPECT_EQ(error.message, "no warden here");
}

TYPED_TEST(Runners, ARunThatReadsWhileItRunsIsEndedOnce) {
  const auto run = std::make_shared<Listener>("run_interactive");
  run->pipe = *sys::make_pipe();
  engine::Task task = this->task({run});
  task.interactive = true;
  task.streamed = true;
  ASSERT_TRUE(this->runner().check(task, 1).has_value());
  ASSERT_TRUE(this->runner().submit(std::move(task)).has_value());
  ASSERT_TRUE(run->wait());
  EXPECT_TRUE(this->runner().drain(kLong));
  EXPECT_EQ(run->starts, 1);
  EXPECT_EQ(run->ends, 1);
  EXPECT_EQ(run->error.message, "no warden here");
}

// ---- What is a fleet's own -------------------------------------------------------------------

TEST(FleetRunners, ALanguageThatNoWorkerHasIsRefused) {
  Fleet fleet;
  const Policy policy = *builtin_policy("default");
  const engine::Task task{.caller = "ada", .language = "cobol", .policy = &policy};
  EXPECT_EQ(fleet.runner().check(task, 1).error().code, Code::kUnavailable);
}

TEST(FleetRunners, ARunWhoseTimeIsOverIsGivenUp) {
  Fleet fleet;
  const Policy policy = *builtin_policy("default");
  const auto late = std::make_shared<Listener>("run_late");
  const auto submission = std::make_shared<Submission>();
  submission->files = {{.path = "main.py", .content = "pass\n", .executable = false}};
  ASSERT_TRUE(fleet.runner()
                  .submit({.caller = "ada",
                           .language = "python",
                           .policy = &policy,
                           .submission = submission,
                           .runs = {late},
                           .deadline = sys::now() - kLong})
                  .has_value());
  ASSERT_TRUE(late->wait());
  EXPECT_EQ(late->starts, 0);
  EXPECT_EQ(late->give_ups, 1);
  EXPECT_EQ(late->error.code, Code::kExhausted);
}

// ---- Who tells of a run ----------------------------------------------------------------------

// What comes to a subject, in turn.
class Heard {
 public:
  Heard(Connection& connection, const std::string& subject) {
    auto made = connection.subscribe(subject, [this](Message message) {
      const std::lock_guard lock(mutex_);
      messages_.push_back(std::move(message));
      changed_.notify_all();
    });
    EXPECT_TRUE(made.has_value());
    subscription_ = *std::move(made);
    EXPECT_TRUE(connection.flush(kLong).has_value());
  }
  Message next() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kLong, [this] { return !messages_.empty(); }));
    if (messages_.empty()) return {};
    Message first = std::move(messages_.front());
    messages_.pop_front();
    return first;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> messages_;
  std::unique_ptr<Subscription> subscription_;
};

// A gateway, and workers that are only messages.
class Strangers : public testing::Test {
 protected:
  void SetUp() override {
    appears_ = std::jthread([this](const std::stop_token& stop) {
      constexpr Milliseconds kEvery{20};
      while (!stop.stop_requested()) {
        appear(mine_);
        std::this_thread::sleep_for(kEvery);
      }
    });
    auto runner = FleetRunner::open(server_.connect(), {.id = "g", .queue_per_caller = 100});
    ASSERT_TRUE(runner.has_value()) << runner.error().message;
    runner_ = *std::move(runner);
  }

  void appear(const std::string& id) {
    const WorkerState state{.id = id, .pool = "p", .languages = {"python"}, .capacity = 9};
    EXPECT_TRUE(connection_->publish(worker_subject(mine_), to_json(state)).has_value());
  }
  void submit(const std::shared_ptr<Listener>& run, engine::Urgency urgency) {
    const auto submission = std::make_shared<Submission>();
    submission->files = {{.path = "main.py", .content = "pass\n", .executable = false}};
    const engine::Task task{.caller = "ada",
                            .language = "python",
                            .policy = &policy_,
                            .submission = submission,
                            .runs = {run},
                            .deadline = sys::now() + kLong,
                            .urgency = urgency};
    ASSERT_TRUE(runner_->submit(task).has_value());
  }
  void tell(const std::string& worker, const char* kind, const std::string& run) {
    const End end{.run = run, .outcome = fail(Code::kInternal, worker)};
    ASSERT_TRUE(
        connection_->publish(told_subject("g", kind, worker, run), to_json(end)).has_value());
  }
  static void wait_for_work(JetStream& stream) {
    const Nanoseconds until = sys::now() + kLong;
    while (stream.stream_state(kWorkStream)->messages == 0 && sys::now() < until) {
      std::this_thread::yield();
    }
    EXPECT_EQ(stream.stream_state(kWorkStream)->messages, 1U);
  }
  static std::string end_of(const Message& message) { return read_runs(message.data)->front(); }

  const NatsServer server_;
  const std::unique_ptr<Connection> connection_ = server_.connect();
  const std::string mine_ = worker_id("mine", "1");
  const std::string others_ = worker_id("others", "1");
  const Policy policy_ = *builtin_policy("default");
  std::unique_ptr<FleetRunner> runner_;
  std::jthread appears_;  // last: it uses what stands above
};

TEST_F(Strangers, WhatOneWorkerWasGivenNoOtherOneEnds) {
  Heard orders(*connection_, order_subject(mine_));
  Heard confirmed(*connection_, heard_subject(mine_));
  const auto run = std::make_shared<Listener>("run_1");
  submit(run, engine::Urgency::kInteractive);
  EXPECT_EQ(read_parcel(orders.next().data)->order.run, "run_1");
  for (const char* kind : {"done", "end"}) tell(others_, kind, "run_1");
  tell(mine_, "done", "run_1");
  ASSERT_TRUE(run->wait());
  EXPECT_EQ(run->error.message, mine_);
  EXPECT_EQ(run->ends, 1);
  EXPECT_EQ(end_of(confirmed.next()), "run_1");
}

TEST_F(Strangers, WhoTakesARunFromTheQueueEndsIt) {
  const auto run = std::make_shared<Listener>("run_2");
  submit(run, engine::Urgency::kAsynchronous);
  JetStream stream(*connection_);
  wait_for_work(stream);
  Heard confirmed(*connection_, heard_subject(others_));
  tell(others_, "done", "run_2");
  ASSERT_TRUE(run->wait());
  EXPECT_EQ(run->error.message, others_);
  EXPECT_EQ(end_of(confirmed.next()), "run_2");
  // Once more, because the message that it is recorded was lost.
  tell(others_, "done", "run_2");
  EXPECT_EQ(end_of(confirmed.next()), "run_2");
  EXPECT_EQ(run->ends, 1);
}

TEST_F(Strangers, WhatAWorkerDoesNotBeginGoesToAnother) {
  Heard orders(*connection_, order_subject(mine_));
  const auto run = std::make_shared<Listener>("run_4");
  submit(run, engine::Urgency::kInteractive);
  EXPECT_EQ(read_parcel(orders.next().data)->order.run, "run_4");
  const End leaving{
      .run = "run_4", .outcome = fail(Code::kUnavailable, "leaving"), .started = false};
  // The second time as one that is stored, too.
  for (const char* const kind : {"done", "end"}) {
    ASSERT_TRUE(connection_->publish(told_subject("g", kind, mine_, "run_4"), to_json(leaving))
                    .has_value());
  }
  JetStream stream(*connection_);
  wait_for_work(stream);
  EXPECT_EQ(run->ends, 0);
  tell(others_, "done", "run_4");
  ASSERT_TRUE(run->wait());
  EXPECT_EQ(run->error.message, others_);
}

TEST_F(Strangers, AnEndThatContradictsItselfIsAnError) {
  Heard orders(*connection_, order_subject(mine_));
  const auto run = std::make_shared<Listener>("run_5");
  submit(run, engine::Urgency::kInteractive);
  EXPECT_EQ(read_parcel(orders.next().data)->order.run, "run_5");
  const End end{.run = "run_5", .outcome = Outcome(), .started = false};
  ASSERT_TRUE(
      connection_->publish(told_subject("g", "done", mine_, "run_5"), to_json(end)).has_value());
  ASSERT_TRUE(run->wait());
  EXPECT_EQ(run->error.code, Code::kInvalid);
}

TEST_F(Strangers, AWorkerIsWhoItsSubjectSays) {
  appear(others_);
  const auto run = std::make_shared<Listener>("run_3");
  Heard to_others(*connection_, order_subject(others_));
  Heard to_mine(*connection_, order_subject(mine_));
  submit(run, engine::Urgency::kInteractive);
  EXPECT_EQ(read_parcel(to_mine.next().data)->order.run, "run_3");
  tell(mine_, "done", "run_3");
  ASSERT_TRUE(run->wait());
}

TEST(Workers, StoreAnEndThatNobodyConfirms) {
  const NatsServer server;
  Local local;
  const std::string id = worker_id("w", "1");
  server.make_streams();
  const auto connection = server.connect();
  JetStream stream(*connection);
  auto worker = Worker::open(server.connect(), local.runner(),
                             {.id = id, .pool = "pool", .languages = {"python"}, .capacity = 2});
  ASSERT_TRUE(worker.has_value()) << worker.error().message;
  Heard said(*connection, told_subject("g", "done", kAnyWorker, "*"));
  const auto order = [&](const std::string& run) {
    const Order made{.run = run,
                     .gateway = "g",
                     .language = "python",
                     .policy = "default",
                     .expires_ms = unix_ms() + 60'000};
    ASSERT_TRUE(connection->publish(order_subject(id), parcel_of({}, to_json(made))).has_value());
  };
  order("run_heard");
  EXPECT_EQ(read_told_subject(said.next().subject)->run, "run_heard");
  ASSERT_TRUE(connection->publish(heard_subject(id), to_json(std::vector<std::string>{"run_heard"}))
                  .has_value());
  order("run_lost");
  EXPECT_EQ(read_told_subject(said.next().subject)->run, "run_lost");
  EXPECT_TRUE((*worker)->drain(kLong));
  EXPECT_EQ(stream.stream_state(kEndsStream)->messages, 1U);
  EXPECT_EQ(read_told_subject(
                stream.get(kEndsStream, told_subject("g", "end", kAnyWorker, "*"), 0)->subject)
                ->run,
            "run_lost");
}

// Runs nothing: a test says when a run is over.
class Held : public engine::Runner {
 public:
  Status submit(engine::Task task) override {
    const std::lock_guard lock(mutex_);
    for (auto& each : task.runs) {
      (void)each->on_start(0);
      begun_.push_back(std::move(each));
    }
    changed_.notify_all();
    return {};
  }
  // The one that was begun after the last that was asked for; null where none is.
  std::shared_ptr<engine::RunListener> next(Nanoseconds patience = kLong) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [this] { return !begun_.empty(); })) return nullptr;
    auto first = std::move(begun_.front());
    begun_.pop_front();
    return first;
  }

  Status check(const engine::Task& /*task*/, std::size_t /*count*/) const override { return {}; }
  Status unpack(engine::Unpacking /*unpacking*/) override { return fail(Code::kInvalid, "no"); }
  void cancel_elsewhere(const std::string& /*run*/) override {}
  std::unique_ptr<engine::Following> follow(const std::string& /*run*/,
                                            engine::Observer& /*observer*/) override {
    return nullptr;
  }
  bool drain(Nanoseconds /*patience*/) override { return true; }
  Status ready() const override { return {}; }
  bool has(const runtime::Manifest& /*language*/) const override { return true; }
  engine::RunnerState state() const override { return {}; }
  void let_in(const std::string& /*caller*/, std::size_t /*count*/) override {}
  std::size_t let_in_elsewhere(const std::string& /*caller*/) const override { return 0; }
  std::vector<engine::Gauge> gauges() const override { return {}; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<engine::RunListener>> begun_;
};

// One worker with room for one run and its line, and a gateway that is only messages.
class Lines : public testing::Test {
 protected:
  explicit Lines(const std::string& denied = "") : server_(denied) {}
  void SetUp() override { server_.make_streams(); }
  void open(Nanoseconds in_line_for) {
    auto worker = Worker::open(server_.connect(), held_,
                               {.id = id_,
                                .pool = "pool",
                                .languages = {"python"},
                                .capacity = 1,
                                .in_line_for = in_line_for});
    ASSERT_TRUE(worker.has_value()) << worker.error().message;
    worker_ = *std::move(worker);
  }
  static std::string parcel(const std::string& run) {
    return parcel_of({}, to_json(Order{.run = run,
                                       .gateway = "g",
                                       .language = "python",
                                       .policy = "default",
                                       .expires_ms = unix_ms() + 60'000}));
  }
  void order(const std::string& run) {
    ASSERT_TRUE(connection_->publish(order_subject(id_), parcel(run)).has_value());
  }
  void enqueue(const std::string& run, unsigned lane = 0) {
    const std::string subject = work_subject(0, "pool", lane);
    ASSERT_TRUE(stream_.publish(subject, parcel(run), run, Milliseconds(5000)).has_value());
    wake(lane);
  }
  void wake(unsigned lane) {
    ASSERT_TRUE(connection_->publish(wake_subject("pool"), std::to_string(lane)).has_value());
  }
  // With what has its only place: from the queue, so that the worker does not look into that now.
  std::shared_ptr<engine::RunListener> fill(Nanoseconds in_line_for) {
    open(in_line_for);
    enqueue("run_1");
    return held_.next();
  }
  void wait_for_line(std::size_t waiting) {
    const Nanoseconds until = sys::now() + kLong;
    while (worker_->state().waiting != waiting && sys::now() < until) std::this_thread::yield();
    ASSERT_EQ(worker_->state().waiting, waiting);
  }
  // Ends it, and answers which one is begun then.
  std::string after(std::shared_ptr<engine::RunListener>& run) {
    run->on_end(fail(Code::kInternal, "over"));
    run = held_.next();
    return run ? run->id() : "none";
  }
  // The next run that is given back. That others are begun is told meanwhile.
  std::string refused() {
    while (true) {
      const Message message = told_.next();
      const auto happening = read_happening(message.data);
      if (!happening) return "none";
      if (happening->kind == Happening::Kind::kBusy) return read_told_subject(message.subject)->run;
    }
  }

  const NatsServer server_;
  const std::string id_ = worker_id("w", "1");
  const std::unique_ptr<Connection> connection_ = server_.connect();
  JetStream stream_{*connection_};
  Heard told_{*connection_, told_subject("g", "told", kAnyWorker, "*")};
  Held held_;
  std::unique_ptr<Worker> worker_;  // last: it uses what stands above
};

TEST_F(Lines, WhatFindsNoRoomIsBegunInTurn) {
  auto run = fill(kLong);
  ASSERT_TRUE(run);
  order("run_2");
  wait_for_line(1);
  EXPECT_EQ(worker_->state().running, 1U);
  order("run_3");  // the line is as long as it has places
  EXPECT_EQ(refused(), "run_3");
  EXPECT_EQ(after(run), "run_2");
  EXPECT_EQ(worker_->state().waiting, 0U);
  run->on_end(fail(Code::kInternal, "over"));
}

TEST_F(Lines, LineAndQueueTakeTurns) {
  auto run = fill(kLong);
  ASSERT_TRUE(run);
  for (const char* const each : {"queued_1", "queued_2"}) enqueue(each);
  order("run_2");
  wait_for_line(1);
  EXPECT_EQ(after(run), "run_2");
  order("run_3");
  wait_for_line(1);
  EXPECT_EQ(after(run), "queued_1");
  EXPECT_EQ(after(run), "run_3");
  EXPECT_EQ(after(run), "queued_2");
  run->on_end(fail(Code::kInternal, "over"));
}

TEST_F(Lines, WhatWaitsTooLongIsGivenBack) {
  auto run = fill(Milliseconds(1));
  ASSERT_TRUE(run);
  order("run_2");
  EXPECT_EQ(refused(), "run_2");
  EXPECT_EQ(worker_->state().waiting, 0U);
  run->on_end(fail(Code::kInternal, "over"));
  EXPECT_FALSE(held_.next(Milliseconds(50)));
}

TEST_F(Lines, WhoDrainsGivesBackWhatWaits) {
  auto run = fill(kLong);
  ASSERT_TRUE(run);
  order("run_2");
  wait_for_line(1);
  std::jthread leaving([this] { EXPECT_TRUE(worker_->drain(kLong)); });
  EXPECT_EQ(refused(), "run_2");
  run->on_end(fail(Code::kInternal, "over"));
}

TEST_F(Lines, WhatIsCancelledThereIsToldSoWhenItBegins) {
  auto run = fill(kLong);
  ASSERT_TRUE(run);
  order("run_2");
  wait_for_line(1);
  const engine::InputControl cancel{.kind = engine::InputControl::Kind::kCancel};
  ASSERT_TRUE(connection_->publish(control_subject(id_, "run_2"), to_json(cancel)).has_value());
  ASSERT_TRUE(connection_->flush(kLong).has_value());
  EXPECT_EQ(after(run), "run_2");
  const auto control = run->open_control();
  ASSERT_TRUE(control.has_value());
  engine::InputControl got;
  ASSERT_EQ(::read(control->get(), &got, sizeof got), static_cast<ssize_t>(sizeof got));
  EXPECT_EQ(got.kind, engine::InputControl::Kind::kCancel);
  run->on_end(fail(Code::kInternal, "over"));
}

// Its first lane has no leader that answers.
class SilentLanes : public Lines {
 protected:
  SilentLanes()
      : Lines("$JS.API.CONSUMER.MSG.NEXT." + std::string(kWorkStream) + "." +
              work_consumer("pool", 0)) {}
};

TEST_F(SilentLanes, KeepTheOthersWaitingOnce) {
  open(kLong);
  enqueue("run_silent");
  enqueue("run_0", 1);
  auto run = held_.next();
  ASSERT_TRUE(run);
  const Nanoseconds begun = sys::now();
  // As many that each would wait for the first lane are more than is waited for here.
  for (int i = 1; i <= 15 && run; ++i) {
    wake(0);
    enqueue("run_" + std::to_string(i), 1);
    EXPECT_EQ(after(run), "run_" + std::to_string(i));
    EXPECT_LT(sys::now() - begun, kLong);
  }
  run->on_end(fail(Code::kInternal, "over"));
}

TEST(Subjects, OfWhatIsToldNameTheWorker) {
  const std::string subject = told_subject("g", "end", worker_id("w", "1"), "run_1");
  const auto told = read_told_subject(subject);
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->kind, "end");
  EXPECT_EQ(told->worker, "w.1");
  EXPECT_EQ(told->run, "run_1");
  for (const char* other : {"", "belljar", "belljar.gateway.g.end.run_1", "$JS.gateway.g.end.w.1.r",
                            "belljar.gateway.g.end.w.1.r.more"}) {
    EXPECT_FALSE(read_told_subject(other).has_value()) << other;
  }
  EXPECT_EQ(worker_of(worker_subject("w.1")), "w.1");
}

TEST(FleetRunners, RunsAreSpreadOverAllStreamsAndTakenFromEach) {
  Fleet fleet(3);
  const Policy policy = *builtin_policy("default");
  const auto submission = std::make_shared<Submission>();
  submission->files = {{.path = "main.py", .content = "pass\n", .executable = false}};
  std::set<unsigned> used;
  std::vector<std::shared_ptr<Listener>> all;
  engine::Task task{.caller = "ada",
                    .language = "python",
                    .policy = &policy,
                    .submission = submission,
                    .deadline = sys::now() + kLong,
                    .urgency = engine::Urgency::kBatch};
  for (int i = 0; i < 30; ++i) {
    all.push_back(std::make_shared<Listener>("run_" + std::to_string(i)));
    used.insert(work_stream_of(all.back()->id(), 3));
    task.runs.push_back(all.back());
  }
  EXPECT_EQ(used.size(), 3U);
  ASSERT_TRUE(fleet.runner().submit(std::move(task)).has_value());
  for (const auto& each : all) ASSERT_TRUE(each->wait()) << each->id();
  for (const auto& each : all) EXPECT_EQ(each->ends, 1) << each->id();
  const auto connection = fleet.server().connect();
  JetStream stream(*connection);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_TRUE(stream.stream_state(work_stream(i)).has_value()) << i;
  }
  EXPECT_EQ(stream.stream_state(work_stream(3)).error().code, Code::kNotFound);
}

// What a worker may not make it waits for (deploy/nats.conf), and makes nothing itself.
TEST(Workers, WaitForAGatewayToHaveMadeTheStreams) {
  const NatsServer server;
  Local local;
  const auto open = [&] {
    return Worker::open(server.connect(), local.runner(),
                        {.id = worker_id("w", "1"), .pool = "pool", .languages = {"python"}});
  };
  const auto early = open();
  ASSERT_FALSE(early.has_value());
  EXPECT_EQ(early.error().code, Code::kUnavailable);
  const auto connection = server.connect();
  JetStream stream(*connection);
  EXPECT_EQ(stream.stream_state(kWorkStream).error().code, Code::kNotFound);
  server.make_streams();
  EXPECT_TRUE(open().has_value());
}

// A gateway that was started again gives its runs to the fleet once more: that is no attempt of a
// run that its worker has all the while.
TEST(FleetRunners, AttemptsAreCountedByWhatWorkersWereGiven) {
  Fleet fleet;
  const Policy policy = *builtin_policy("default");
  const auto submission = std::make_shared<Submission>();
  submission->files = {{.path = "main.py", .content = "pass\n", .executable = false}};
  for (const std::uint64_t before : {0U, 2U}) {
    const auto run = std::make_shared<Listener>("run_" + std::to_string(before));
    ASSERT_TRUE(fleet.runner()
                    .submit({.caller = "ada",
                             .language = "python",
                             .policy = &policy,
                             .submission = submission,
                             .runs = {run},
                             .deadline = sys::now() + kLong,
                             .attempts = before})
                    .has_value());
    ASSERT_TRUE(run->wait());
    EXPECT_EQ(run->attempts, before + 1);
  }
}

// What becomes of a run in the queue of a fleet whose worker has no warden.
class FromTheQueue : public testing::Test {
 protected:
  void SetUp() override {
    const std::string ends = told_subject("gateway_2", "end", kAnyWorker, "*");
    ASSERT_TRUE(
        stream_.make_consumer(kEndsStream, ends_consumer("gateway_2"), ends, kAckWait).has_value());
  }
  std::string reason(Order order, Parcel::Past past) {
    constexpr Milliseconds kPatience{5000};
    order.run = "run_" + std::to_string(++runs_);
    order.gateway = "gateway_2";
    order.caller = "ada";
    order.language = "python";
    order.policy = "default";
    EXPECT_TRUE(stream_
                    .publish(work_subject(0, "pool", 0), parcel_of(past, to_json(order)), order.run,
                             kPatience)
                    .has_value());
    Result<std::optional<Delivery>> got;
    for (int i = 0; i < 1000 && (!got || !*got); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      got = stream_.next(kEndsStream, ends_consumer("gateway_2"));
    }
    if (!got || !*got) return "no end";
    EXPECT_TRUE(stream_.acknowledge(**got).has_value());
    const auto end = read_end((*got)->data);
    if (!end || end->outcome) return "no error";
    EXPECT_EQ(end->run, order.run);
    attempt_ = end->attempt;
    return end->outcome.error().message;
  }

  std::uint64_t attempt_ = 0;  // of the last

 private:
  Fleet fleet_;
  const std::unique_ptr<Connection> connection_ = fleet_.server().connect();
  JetStream stream_{*connection_};
  int runs_ = 0;
};

// As a gateway and a worker of the fleet that died: what they had read is not there again.
TEST_F(FromTheQueue, AnInteractiveRunThatWasGivenBeforeIsNotBegunAgain) {
  const Order order{.reads = Order::Reads::kPipe, .expires_ms = unix_ms() + 60'000};
  EXPECT_EQ(reason(order, {}), "no warden here");
  EXPECT_EQ(attempt_, 1U);
  EXPECT_EQ(reason(order, {.deaths = 1, .attempts = 1}), kInputIsGone);
  EXPECT_EQ(attempt_, 1U);
}

TEST_F(FromTheQueue, WhatWasBegunBeforeHasNotWaitedTooLong) {
  const Order late{.reads = Order::Reads::kBytes, .expires_ms = unix_ms() - 1000};
  EXPECT_EQ(reason(late, {}), "waited too long in the queue");
  EXPECT_EQ(reason(late, {.deaths = 1, .attempts = 1}), "no warden here");
}

TEST(JetStreams, AMessageOfOneIdIsStoredOnce) {
  const NatsServer server;
  const auto connection = server.connect();
  JetStream stream(*connection);
  ASSERT_TRUE(
      stream.make_stream({.name = "S", .subjects = {"s.*"}, .work_queue = true}).has_value());
  ASSERT_TRUE(
      stream.make_stream({.name = "S", .subjects = {"s.*"}, .work_queue = true}).has_value());
  ASSERT_TRUE(stream.make_consumer("S", "c", "s.a", std::chrono::seconds(30)).has_value());
  constexpr Milliseconds kPatience{5000};
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(stream.publish("s.a", "x", "id", kPatience).has_value());
  EXPECT_EQ(stream.stream_state("S")->messages, 1U);

  auto first = stream.next("S", "c");
  ASSERT_TRUE(first.has_value() && first->has_value());
  EXPECT_EQ((*first)->data, "x");
  EXPECT_EQ((*first)->delivered, 1U);
  EXPECT_FALSE(stream.next("S", "c")->has_value());
  ASSERT_TRUE(stream.give_back(**first).has_value());
  auto second = stream.next("S", "c");
  for (int i = 0; i < 100 && second && !*second; ++i) second = stream.next("S", "c");
  ASSERT_TRUE(second.has_value() && second->has_value());
  EXPECT_EQ((*second)->delivered, 2U);
  ASSERT_TRUE(stream.acknowledge(**second).has_value());
  ASSERT_TRUE(connection->flush(kPatience).has_value());
  EXPECT_EQ(stream.stream_state("S")->messages, 0U);
  EXPECT_FALSE(stream.next("S", "c")->has_value());
}

// What a change of leaders makes of a queue cannot be had with one server: so what is acknowledged
// is looked at, of a queue that has one message of each kind.
TEST(JetStreams, WhatIsGoneIsAcknowledgedAndNothingElse) {
  const NatsServer server;
  const auto connection = server.connect();
  JetStream stream(*connection);
  constexpr Milliseconds kPatience{5000};
  ASSERT_TRUE(
      stream.make_stream({.name = "S", .subjects = {"s.*"}, .work_queue = true}).has_value());
  for (const std::string lane : {"a", "b"}) {
    ASSERT_TRUE(stream.make_consumer("S", lane, "s." + lane, std::chrono::seconds(1)).has_value());
  }
  const std::vector<std::string> subjects{"s.b", "s.a", "s.b", "s.a", "s.a"};
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    const auto number = stream.publish(subjects[i], "x", "", kPatience);
    ASSERT_TRUE(number.has_value());
    EXPECT_EQ(*number, i + 1);
  }
  const auto taken = [&stream]() -> Delivery {
    for (int i = 0; i < 200; ++i) {
      auto got = stream.next("S", "a");
      if (got && *got) return **got;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ADD_FAILURE() << "nothing came";
    return {};
  };
  const Delivery held = taken();
  ASSERT_TRUE(stream.acknowledge(taken()).has_value());  // the fourth
  const Delivery last = taken();
  EXPECT_EQ(taken().delivered, 2U);  // the second once more, after its time
  EXPECT_TRUE(*stream.has("S", 2));
  EXPECT_FALSE(*stream.has("S", 4));

  Heard said(*connection, "$JS.ACK.S.>");
  const auto mended = stream.mend("S", "a");
  ASSERT_TRUE(mended.has_value()) << mended.error().message;
  EXPECT_EQ(mended->out, 2U);
  EXPECT_EQ(mended->delivered, 5U);
  ASSERT_TRUE(connection->publish("$JS.ACK.S.over", "").has_value());
  EXPECT_TRUE(said.next().subject.starts_with("$JS.ACK.S.a.1.4."));
  EXPECT_EQ(said.next().subject, "$JS.ACK.S.over");

  ASSERT_TRUE(stream.remove_what_is_past("S", "s.a", *mended).has_value());
  EXPECT_EQ(stream.stream_state("S")->messages, 4U);
  ConsumerState past = *mended;
  past.acknowledged = 2;
  ASSERT_TRUE(stream.remove_what_is_past("S", "s.a", past).has_value());
  EXPECT_FALSE(*stream.has("S", 2));
  EXPECT_TRUE(*stream.has("S", 1) && *stream.has("S", 3) && *stream.has("S", 5));
}

class ObjectBuckets : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(objects.make(std::chrono::hours(1), 1).has_value()); }

  const NatsServer server;
  const std::unique_ptr<Connection> connection = server.connect();
  JetStream stream{*connection};
  ObjectBucket objects{stream, "bucket"};
};

TEST_F(ObjectBuckets, GiveBackWhatWasPutIn) {
  std::string large(1'000'001, 'x');
  large[500'000] = '\0';
  for (const std::string& bytes : {std::string(), std::string("\xff"), large}) {
    ASSERT_TRUE(objects.put("a name", bytes).has_value());
    const auto got = objects.get("a name");
    ASSERT_TRUE(got.has_value()) << got.error().message;
    EXPECT_EQ(*got, bytes);
  }
  EXPECT_EQ(objects.get("another").error().code, Code::kNotFound);
  ASSERT_TRUE(objects.remove("a name").has_value());
  EXPECT_EQ(objects.get("a name").error().code, Code::kNotFound);
}

TEST_F(ObjectBuckets, ADescriptionOfEverythingIsOfNothing) {
  ASSERT_TRUE(objects.put("others", "bytes").has_value());
  const std::string name = "$O.bucket.M." + base64_encode("mine");
  const std::string description =
      R"({"name":"mine","nuid":">","chunks":1,"digest":"SHA-256=J3kZ"})";
  ASSERT_TRUE(stream.publish(name, description, "", Milliseconds(5000)).has_value());
  EXPECT_EQ(objects.get("mine").error().code, Code::kUnavailable);
  ASSERT_TRUE(objects.remove("mine").has_value());
  EXPECT_EQ(objects.get("mine").error().code, Code::kNotFound);
  EXPECT_EQ(*objects.get("others"), "bytes");
}

TEST(Connections, ASubjectThatWouldBeProtocolIsRefused) {
  const NatsServer server;
  const auto connection = server.connect();
  Heard heard(*connection, "told");
  for (const char* const subject : {"", "a b", "a\r\nPUB told 1\r\nx\r\n", "a\tb", "a\x7f"}) {
    EXPECT_EQ(connection->publish(subject, "x").error().code, Code::kInvalid);
    EXPECT_EQ(connection->request(subject, "x", Milliseconds(100)).error().code, Code::kInvalid);
    EXPECT_EQ(connection->subscribe(subject, [](const Message&) {}).error().code, Code::kInvalid);
  }
  EXPECT_TRUE(connection->publish("told", "in earnest").has_value());
  EXPECT_EQ(heard.next().data, "in earnest");
}

TEST(Connections, FailAtOnceWhileTheServerIsAwayAndComeBack) {
  NatsServer server;
  const auto connection = server.connect();
  ASSERT_TRUE(connection->is_up());
  server.stop();
  const Nanoseconds until = sys::now() + kLong;
  while (connection->is_up() && sys::now() < until) std::this_thread::yield();
  EXPECT_EQ(connection->publish("a", "b").error().code, Code::kUnavailable);
  server.start();
  while (!connection->is_up() && sys::now() < until) std::this_thread::yield();
  EXPECT_TRUE(connection->publish("a", "b").has_value());
}

}  // namespace
}  // namespace belljar::fleet
