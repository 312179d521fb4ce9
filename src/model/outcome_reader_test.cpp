#include "model/outcome_reader.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

namespace belljar {
namespace {

namespace json = boost::json;
using std::chrono::microseconds;

// Every field of its own kind and unlike its default.
Outcome every_field() {
  Outcome outcome;
  outcome.status = RunStatus::kTimeout;
  outcome.reason = "cpu: used 1.00 s of 1.00 s";
  outcome.language = "c++";
  outcome.toolchain = "g++ 12.2.0";
  outcome.policy = "default";
  outcome.artifacts_truncated = true;
  outcome.host = {.kernel = "6.1.0", .cgroup_mode = "v2", .landlock_abi = 6, .rootless = true};
  StageOutcome& compile = outcome.stages.emplace_back();
  compile.kind = StageKind::kCompile;
  compile.status = RunStatus::kOk;
  compile.exit_code = 0;
  compile.cached = true;
  StageOutcome& run = outcome.stages.emplace_back();
  run.kind = StageKind::kRun;
  run.start = Start::kInterpreter;
  run.status = RunStatus::kTimeout;
  run.reason = "a \"reason\"";
  run.clock = Clock::kCpu;
  run.signal = 9;
  run.out = {.data = std::string("\xff\0\xc3", 3), .total_bytes = 12, .truncated = true};
  run.err = {.data = "plain\n", .total_bytes = 6, .truncated = false};
  run.usage = {.wall = microseconds(1),
               .cpu = microseconds(20),
               .user = microseconds(300),
               .system = microseconds(4000),
               .peak_memory = 5,
               .peak_processes = 6,
               .oom_kills = 7,
               .throttled_periods = 8,
               .throttled = microseconds(9'000'001)};
  run.events = {.process_limit_hits = 1,
                .leftover_processes = 2,
                .disk_full = true,
                .cpu_bill_partial = true};
  run.denied = {{.name = "ptrace", .count = 3}};
  run.denied_more = true;
  run.phases = {.queue = microseconds(1),
                .build = microseconds(2),
                .run = microseconds(3),
                .collect = microseconds(4),
                .teardown = microseconds(5)};
  std::uint64_t next = 1000;
  for (const LimitField& field : limit_fields()) {
    ++next;
    if (field.duration != nullptr) run.limits.*field.duration = microseconds(next);
    if (field.number != nullptr) run.limits.*field.number = next;
  }
  run.walls = {Wall::kSeccomp, Wall::kLandlock};
  return outcome;
}

TEST(ReadOutcome, IsWhatWasWritten) {
  const std::string text = to_json(every_field(), Base64::kAlways);
  const auto read = read_outcome(json::parse(text));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(to_json(*read, Base64::kAlways), text);
  EXPECT_EQ(read->stages.back().out.data, every_field().stages.back().out.data);
  EXPECT_EQ(read->stages.back().usage.throttled, microseconds(9'000'001));
}

TEST(ReadOutcome, OfNothingButDefaultsIsWhatWasWritten) {
  const std::string text = to_json(Outcome(), Base64::kAlways);
  const auto read = read_outcome(json::parse(text));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(to_json(*read, Base64::kAlways), text);
}

// Whatever one member becomes or wherever it is missing, the answer is an error or an outcome.
void spoil(const json::value& whole, json::value& part, int depth) {
  const json::value kept = part;
  for (const json::value& other :
       {json::value(), json::value(-1), json::value("x"), json::value(1e300), json::value(true),
        json::value(json::array{1}), json::value(json::object{{"a", 1}})}) {
    part = other;
    (void)read_outcome(whole).has_value();
  }
  part = kept;
  if (depth == 0) return;
  if (part.is_object()) {
    for (auto& member : part.get_object()) spoil(whole, member.value(), depth - 1);
  } else if (part.is_array()) {
    for (json::value& each : part.get_array()) spoil(whole, each, depth - 1);
  }
}

TEST(ReadOutcome, TakesNothingForGranted) {
  json::value whole = json::parse(to_json(every_field(), Base64::kAlways));
  spoil(whole, whole, 5);
  EXPECT_FALSE(read_outcome(json::value()).has_value());
  whole.as_object()["status"] = "splendid";
  EXPECT_FALSE(read_outcome(whole).has_value());
}

}  // namespace
}  // namespace belljar
