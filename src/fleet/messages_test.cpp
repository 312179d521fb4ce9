#include "fleet/messages.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "fleet/subjects.h"

namespace belljar::fleet {
namespace {

TEST(Order, IsReadAsItWasWritten) {
  Order order{.run = "run_1",
              .gateway = "home_1",
              .caller = "key_1",
              .language = "python",
              .policy = "default",
              .input = std::string("\0\xff", 2),
              .reads = Order::Reads::kTerminal,
              .unpack = true,
              .memory = 1,
              .cpus_milli = 2,
              .expires_ms = 3,
              .streamed = true};
  order.submission.language = "python";
  order.submission.files = {{.path = "a/\xc3\xa9.py", .content = "\xff", .executable = true}};
  order.submission.entry = "a/\xc3\xa9.py";
  order.submission.args = {"\xfe", ""};
  order.submission.env = {"A=\xfd"};
  order.submission.limits.wall = std::chrono::nanoseconds(1'500'000'001);
  order.submission.limits.memory = 1ULL << 40U;
  order.submission.artifacts = {"*.txt"};
  const auto read = read_order(to_json(order));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(to_json(*read), to_json(order));
  EXPECT_EQ(read->input, order.input);
  EXPECT_EQ(read->submission.files, order.submission.files);
  EXPECT_EQ(read->submission.args, order.submission.args);
  EXPECT_EQ(read->submission.limits, order.submission.limits);
}

TEST(Parcel, HasAnOrderOrTheNameOfOne) {
  const Order order{.run = "run_1"};
  auto read = read_parcel(parcel_of({.deaths = 2, .attempts = 4}, to_json(order)));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->past.deaths, 2U);
  EXPECT_EQ(read->past.attempts, 4U);
  EXPECT_EQ(read->object, "");
  EXPECT_EQ(read->order.run, "run_1");
  read = read_parcel(parcel_of_object({.deaths = 3, .attempts = 5}, "order.run_1"));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->past.deaths, 3U);
  EXPECT_EQ(read->past.attempts, 5U);
  EXPECT_EQ(read->object, "order.run_1");
}

TEST(Order, WithAPathThatLeavesTheBoxIsRefused) {
  Order order{.run = "run_1"};
  order.submission.files = {{.path = "a.py", .content = "", .executable = false}};
  ASSERT_TRUE(read_order(to_json(order)).has_value());
  order.submission.files = {{.path = "../a.py", .content = "", .executable = false}};
  EXPECT_FALSE(read_order(to_json(order)).has_value());
}

TEST(End, IsReadAsItWasWritten) {
  End end{.run = "run_1", .outcome = Outcome(), .started = true, .began_us_ago = 1234};
  end.outcome->artifacts = {{.path = "\xff", .content = std::string("\0", 1), .executable = true}};
  const auto read = read_end(to_json(end));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  ASSERT_TRUE(read->outcome.has_value());
  EXPECT_EQ(read->outcome->artifacts, end.outcome->artifacts);
  EXPECT_TRUE(read->started);

  const End failed{.run = "run_1", .outcome = fail(Code::kExhausted, "no"), .started = false};
  const auto read_failed = read_end(to_json(failed));
  ASSERT_TRUE(read_failed.has_value()) << read_failed.error().message;
  ASSERT_FALSE(read_failed->outcome.has_value());
  EXPECT_EQ(read_failed->outcome.error().code, Code::kExhausted);
  EXPECT_EQ(read_failed->outcome.error().message, "no");
  EXPECT_FALSE(read_failed->started);

  // What was not begun has no outcome.
  end.started = false;
  EXPECT_FALSE(read_end(to_json(end)).has_value());
}

TEST(Happening, IsReadAsItWasWritten) {
  using Kind = Happening::Kind;
  for (const Happening& each :
       {Happening{.kind = Kind::kBegun, .attempt = 3}, Happening{.kind = Kind::kBusy},
        Happening{.kind = Kind::kStage, .stage = StageKind::kCompile},
        Happening{.kind = Kind::kErr, .bytes = "\xff"},
        Happening{.kind = Kind::kTaken, .frames = 4, .written = 5}}) {
    const auto read = read_happening(to_json(each));
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(to_json(*read), to_json(each));
    EXPECT_EQ(read->attempt, each.attempt);
    EXPECT_EQ(read->written, each.written);
  }
}

TEST(InputFrame, IsReadAsItWasWritten) {
  using Kind = InputFrame::Kind;
  for (const InputFrame& each :
       {InputFrame{.number = 1, .kind = Kind::kBytes, .bytes = std::string("\0\xff", 2)},
        InputFrame{.number = 2, .kind = Kind::kEnd},
        InputFrame{.number = 3,
                   .kind = Kind::kControl,
                   .control = {.kind = engine::InputControl::Kind::kResize, .rows = 7}}}) {
    const auto read = read_input_frame(to_json(each));
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(to_json(*read), to_json(each));
    EXPECT_EQ(read->bytes, each.bytes);
    EXPECT_EQ(read->control.rows, each.control.rows);
  }
}

TEST(States, AreReadAsTheyWereWritten) {
  const WorkerState worker{.id = "w",
                           .pool = "p",
                           .labels = {{"arch", "x"}, {"region", "eu"}},
                           .capacity = 4,
                           .running = 3,
                           .waiting = 2};
  const auto read_worker = read_worker_state(to_json(worker));
  ASSERT_TRUE(read_worker.has_value()) << read_worker.error().message;
  EXPECT_EQ(read_worker->labels, worker.labels);
  EXPECT_EQ(to_json(*read_worker), to_json(worker));
  const GatewayState gateway{
      .id = "g", .let_in = {{"ip:127.0.0.1", 5}}, .oldest_ms = 6, .redelivered = 7};
  const auto read_gateway = read_gateway_state(to_json(gateway));
  ASSERT_TRUE(read_gateway.has_value()) << read_gateway.error().message;
  EXPECT_EQ(to_json(*read_gateway), to_json(gateway));
  EXPECT_EQ(read_gateway->let_in, gateway.let_in);
}

TEST(States, OfAWorkerThatWouldWriteIntoSubjectsAreRefused) {
  WorkerState worker{.id = "w", .pool = "p"};
  for (const std::string& pool :
       {std::string(), std::string("a.b"), std::string("*"), std::string("a b"),
        std::string("a\r\nPUB x 0\r\n"), std::string(129, 'a')}) {
    worker.pool = pool;
    EXPECT_FALSE(read_worker_state(to_json(worker)).has_value()) << pool;
  }
  worker.pool = "p-1_A";
  EXPECT_TRUE(read_worker_state(to_json(worker)).has_value());
  for (std::uint64_t WorkerState::* const number :
       {&WorkerState::capacity, &WorkerState::running, &WorkerState::waiting}) {
    WorkerState many = worker;
    many.*number = UINT64_MAX;
    EXPECT_FALSE(read_worker_state(to_json(many)).has_value());
  }
}

TEST(Messages, ThatAreNotWhatTheyMustBeAreErrors) {
  for (const char* const text : {"", "{}", "[]", "null", R"({"kind":"told"})", R"({"run":1})"}) {
    EXPECT_FALSE(read_order(text).has_value()) << text;
    EXPECT_FALSE(read_parcel(text).has_value()) << text;
    EXPECT_FALSE(read_end(text).has_value()) << text;
    EXPECT_FALSE(read_happening(text).has_value()) << text;
    EXPECT_FALSE(read_control(text).has_value()) << text;
    EXPECT_FALSE(read_input_frame(text).has_value()) << text;
    EXPECT_FALSE(read_worker_state(text).has_value()) << text;
    EXPECT_FALSE(read_gateway_state(text).has_value()) << text;
    EXPECT_FALSE(referred_object(text).has_value()) << text;
  }
  EXPECT_EQ(referred_object(reference_to("a.b")), "a.b");
}

TEST(Lanes, WhoHasLittleGoesBeforeWhoHasMuch) {
  EXPECT_EQ(lane_of(0, 0), 0U);
  EXPECT_EQ(lane_of(0, 1), 1U);
  EXPECT_EQ(lane_of(0, 6), 2U);
  EXPECT_EQ(lane_of(1, 0), 1U);
  EXPECT_EQ(lane_of(2, 1'000'000), kLanes - 1);
}

TEST(Ports, AreThoseOfTheUrls) {
  EXPECT_EQ(*ports_of("nats://a,tls://b:1,nats://[::1]:2"),
            (std::vector<std::uint16_t>{4222, 1, 2}));
  for (const char* const urls : {"", "http://a", "nats://", "nats://a:b", "nats://u:p@a", "a:1"}) {
    EXPECT_FALSE(ports_of(urls).has_value()) << urls;
  }
}

}  // namespace
}  // namespace belljar::fleet
