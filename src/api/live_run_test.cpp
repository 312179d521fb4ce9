#include "api/live_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace belljar::api {
namespace {

using engine::OutputStream;

std::string all(LiveRun& run, std::uint64_t after = 0) {
  std::string text;
  for (const RunEvent& event : run.events_after(after)) {
    text += std::to_string(event.number) + " " + event.name + " " + event.data + "\n";
  }
  return text;
}

TEST(LiveRun, NumbersItsEventsWithoutGaps) {
  LiveRun run("run_1", "ip:::1");
  run.add("status", "{}");
  run.add_output(OutputStream::kOut, "a");
  run.end("{\"x\":1}", std::nullopt);
  EXPECT_EQ(all(run), "1 status {}\n2 stdout {\"text\":\"a\"}\n3 outcome {\"x\":1}\n");
  EXPECT_EQ(all(run, 2), "3 outcome {\"x\":1}\n");
  EXPECT_EQ(all(run, 3), "");
  EXPECT_EQ(all(run, 99), "");
}

TEST(LiveRun, ACharacterIsNotSplitBetweenEvents) {
  LiveRun run("run_1", "");
  run.add_output(OutputStream::kOut, "x\xe2\x82");
  run.add_output(OutputStream::kErr, "e");
  run.add_output(OutputStream::kOut, "\xacy");
  EXPECT_EQ(all(run),
            "1 stdout {\"text\":\"x\"}\n2 stderr {\"text\":\"e\"}\n3 stdout {\"text\":\"€y\"}\n");
}

TEST(LiveRun, BytesThatAreNoTextComeInBase64AndNoneIsLost) {
  LiveRun run("run_1", "");
  run.add_output(OutputStream::kOut, "\xff\xfe");
  run.add_output(OutputStream::kOut, "\xe2");
  run.end("{}", std::nullopt);
  EXPECT_EQ(all(run), "1 stdout {\"base64\":\"//7i\"}\n2 outcome {}\n");
}

TEST(LiveRun, WakesOnceAndAtOnceWhereThereIsSomething) {
  LiveRun run("run_1", "");
  int woken = 0;
  run.on_more(0, [&woken] { ++woken; });
  EXPECT_EQ(woken, 0);
  run.add("status", "{}");
  run.add("status", "{}");
  EXPECT_EQ(woken, 1);
  run.on_more(1, [&woken] { ++woken; });  // the second event is there already
  EXPECT_EQ(woken, 2);
  run.on_more(2, [&woken] { ++woken; });
  run.on_end([&woken] { woken += 10; });
  run.end("{}", std::nullopt);
  EXPECT_EQ(woken, 13);
  run.on_more(3, [&woken] { ++woken; });
  EXPECT_EQ(woken, 14);
}

TEST(LiveRun, OnlyTheFirstEndCounts) {
  LiveRun run("run_1", "");
  run.end("{\"a\":1}", std::nullopt);
  run.end("{\"a\":2}", Error{.message = "late"});
  EXPECT_EQ(run.run_json(), "{\"a\":1}");
  EXPECT_FALSE(run.error());
}

TEST(LiveRun, NothingComesAfterTheEnd) {
  LiveRun run("run_1", "");
  run.end("{\"a\":1}", std::nullopt);
  run.add("stage", "{}");
  run.add_output(OutputStream::kOut, "late");
  const std::vector<RunEvent> events = run.events_after(0);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events.front().name, "outcome");
  EXPECT_EQ(events.front().data, "{\"a\":1}");
}

TEST(LiveRun, ControlBeforeTheCellIsThereIsKept) {
  LiveRun run("run_1", "");
  run.control({.kind = engine::InputControl::Kind::kResize, .rows = 5, .columns = 6});
  run.cancel();
  EXPECT_TRUE(run.is_cancelled());
  auto control = run.open_control();
  ASSERT_TRUE(control);
  engine::InputControl message;
  ASSERT_EQ(::read(control->get(), &message, sizeof message), static_cast<ssize_t>(sizeof message));
  EXPECT_EQ(message.kind, engine::InputControl::Kind::kResize);
  EXPECT_EQ(message.columns, 6);
  ASSERT_EQ(::read(control->get(), &message, sizeof message), static_cast<ssize_t>(sizeof message));
  EXPECT_EQ(message.kind, engine::InputControl::Kind::kCancel);
}

}  // namespace
}  // namespace belljar::api
