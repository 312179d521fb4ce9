#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>
#include <string>

#include "base/text.h"
#include "model/outcome.h"

namespace belljar {
namespace {

namespace json = boost::json;
using namespace std::string_literals;
using namespace std::string_view_literals;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

json::object parse(const Outcome& outcome) {
  const std::string text = to_json(outcome);
  EXPECT_TRUE(is_valid_utf8(text));
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  EXPECT_FALSE(error) << text;
  return value.is_object() ? value.get_object() : json::object{};
}

std::vector<std::string> keys(const json::object& object) {
  std::vector<std::string> names;
  for (const auto& member : object) names.emplace_back(member.key());
  return names;
}

Outcome with_stage(const StageOutcome& stage) {
  Outcome outcome;
  outcome.stages.push_back(stage);
  return outcome;
}

json::object stage_json(const StageOutcome& stage) {
  return parse(with_stage(stage)).at("stages").at(0).as_object();
}

StageOutcome printing(std::string data) {
  StageOutcome stage;
  stage.out.total_bytes = data.size();
  stage.out.data = std::move(data);
  return stage;
}

json::object stdout_json(const StageOutcome& stage) {
  return stage_json(stage).at("stdout").as_object();
}

std::string string_at(const json::object& object, std::string_view key) {
  return std::string(object.at(key).as_string());
}

TEST(ToJson, HasTheMembersOfTheDescription) {
  const json::object object = parse({});
  EXPECT_THAT(keys(object), ElementsAre("status", "reason", "language", "toolchain", "policy",
                                        "stages", "artifacts", "artifacts_truncated", "host"));
  EXPECT_THAT(keys(object.at("host").as_object()),
              ElementsAre("kernel", "cgroup_mode", "landlock_abi", "rootless"));
}

TEST(ToJson, AStageHasTheMembersOfTheDescription) {
  StageOutcome stage;
  EXPECT_THAT(keys(stage_json(stage)),
              ElementsAre("stage", "status", "reason", "start", "cached", "stdout", "stderr",
                          "usage", "events", "denied_syscalls", "denied_more", "phases", "limits",
                          "walls", "missing_walls"));
  stage.clock = Clock::kWall;
  stage.exit_code = 1;
  stage.signal = 9;
  EXPECT_THAT(
      keys(stage_json(stage)),
      ElementsAre("stage", "status", "reason", "start", "cached", "clock", "exit_code", "signal",
                  "signal_number", "stdout", "stderr", "usage", "events", "denied_syscalls",
                  "denied_more", "phases", "limits", "walls", "missing_walls"));
}

TEST(ToJson, TheInnerObjectsHaveTheMembersOfTheDescription) {
  const json::object stage = stage_json({});
  EXPECT_THAT(keys(stage.at("stdout").as_object()),
              ElementsAre("text", "total_bytes", "truncated"));
  EXPECT_THAT(keys(stage.at("usage").as_object()),
              ElementsAre("wall_ms", "cpu_ms", "user_ms", "system_ms", "peak_memory_bytes",
                          "peak_processes", "oom_kills", "throttled_periods", "throttled_ms"));
  EXPECT_THAT(
      keys(stage.at("events").as_object()),
      ElementsAre("process_limit_hits", "leftover_processes", "disk_full", "cpu_bill_partial"));
  EXPECT_THAT(keys(stage.at("phases").as_object()),
              ElementsAre("queue_ms", "build_ms", "run_ms", "collect_ms", "teardown_ms"));
  EXPECT_THAT(keys(stage.at("limits").as_object()),
              ElementsAre("wall_ms", "cpu_ms", "memory_bytes", "processes", "output_bytes",
                          "box_bytes", "tmp_bytes", "inodes", "open_files", "file_size_bytes",
                          "stack_bytes", "cpus", "artifacts_bytes"));
}

TEST(ToJson, CarriesWhatHappened) {
  StageOutcome stage;
  stage.kind = StageKind::kRun;
  stage.status = RunStatus::kTimeout;
  stage.reason = "used 1.00 s of 1.00 s";
  stage.clock = Clock::kCpu;
  stage.signal = 11;
  stage.out = {.data = "hi\n", .total_bytes = 3, .truncated = false};
  stage.err = {.data = "ab", .total_bytes = 900, .truncated = true};
  stage.usage.peak_memory = 12'345'678;
  stage.usage.oom_kills = 2;
  stage.events.process_limit_hits = 5;
  stage.events.disk_full = true;
  stage.denied = {{.name = "ptrace", .count = 3}};
  stage.denied_more = true;
  stage.walls = {Wall::kSeccomp, Wall::kPidNamespace};

  Outcome outcome = with_stage(stage);
  outcome.status = RunStatus::kTimeout;
  outcome.reason = "a reason";
  outcome.language = "python";
  outcome.toolchain = "Python 3.11.2";
  outcome.policy = "default";
  outcome.artifacts = {{.path = "plot.png", .content = "12345", .executable = true}};
  outcome.artifacts_truncated = true;
  outcome.host = {.kernel = "6.1.0", .cgroup_mode = "hybrid", .landlock_abi = 7, .rootless = true};

  const json::object object = parse(outcome);
  EXPECT_EQ(object.at("status"), "timeout");
  EXPECT_EQ(object.at("reason"), "a reason");
  EXPECT_EQ(object.at("language"), "python");
  EXPECT_EQ(object.at("toolchain"), "Python 3.11.2");
  EXPECT_EQ(object.at("policy"), "default");
  EXPECT_EQ(object.at("artifacts"),
            json::parse(R"([{"path": "plot.png", "bytes": 5, "executable": true}])"));
  EXPECT_EQ(object.at("artifacts_truncated"), true);
  EXPECT_EQ(object.at("host"),
            json::parse(R"({"kernel": "6.1.0", "cgroup_mode": "hybrid", "landlock_abi": 7,
                            "rootless": true})"));
  const json::object run = object.at("stages").at(0).as_object();
  EXPECT_EQ(run.at("stage"), "run");
  EXPECT_EQ(run.at("status"), "timeout");
  EXPECT_EQ(run.at("clock"), "cpu");
  EXPECT_EQ(run.at("signal"), "SIGSEGV");
  EXPECT_EQ(run.at("signal_number"), 11);
  EXPECT_EQ(run.at("stdout"),
            json::parse(R"({"text": "hi\n", "total_bytes": 3, "truncated": false})"));
  EXPECT_EQ(run.at("stderr"),
            json::parse(R"({"text": "ab", "total_bytes": 900, "truncated": true})"));
  EXPECT_EQ(run.at("usage").at("peak_memory_bytes"), 12'345'678);
  EXPECT_EQ(run.at("usage").at("oom_kills"), 2);
  EXPECT_EQ(run.at("events").at("process_limit_hits"), 5);
  EXPECT_EQ(run.at("events").at("disk_full"), true);
  EXPECT_EQ(run.at("denied_syscalls"), json::parse(R"([{"name": "ptrace", "count": 3}])"));
  EXPECT_EQ(run.at("denied_more"), true);
  EXPECT_EQ(run.at("walls"), json::parse(R"(["pid-namespace", "seccomp"])"));
  EXPECT_EQ(run.at("missing_walls").as_array().size(), std::size_t{kWallCount - 2});
}

TEST(ToJson, TimesAreMillisecondsToTheMicrosecond) {
  const struct {
    Nanoseconds time;
    std::string_view text;
  } cases[] = {
      {nanoseconds(0), "0"},      {nanoseconds(499), "0"},     {nanoseconds(500), "0.001"},
      {microseconds(1), "0.001"}, {microseconds(1500), "1.5"}, {nanoseconds(12'345'678), "12.346"},
      {milliseconds(250), "250"}, {seconds(3600), "3600000"},  {seconds(31'536'000), "31536000000"},
  };
  for (const auto& c : cases) {
    StageOutcome stage;
    stage.usage.wall = c.time;
    EXPECT_THAT(to_json(with_stage(stage)),
                HasSubstr("\"usage\":{\"wall_ms\":" + std::string(c.text) + ","))
        << c.text;
  }
}

TEST(ToJson, CountsAreWholeNumbers) {
  StageOutcome stage;
  stage.out.total_bytes = ~0ULL;
  EXPECT_THAT(to_json(with_stage(stage)), HasSubstr("\"total_bytes\":18446744073709551615,"));
}

TEST(ToJson, LimitsAreThoseThatWereEnforced) {
  StageOutcome stage;
  stage.limits.cpus_milli = 500;
  stage.limits.memory = 128 * kMiB;
  const json::object limits = stage_json(stage).at("limits").as_object();
  EXPECT_EQ(limits.at("wall_ms").to_number<int>(), 10'000);
  EXPECT_EQ(limits.at("memory_bytes"), 134'217'728);
  EXPECT_EQ(limits.at("cpus"), 0.5);
  EXPECT_EQ(limits.at("processes"), 64);
}

TEST(ToJson, ValidTextStandsAloneAndUnchanged) {
  for (const std::string& data :
       {""s, "plain\n"s, "é 漢字 🙂"s, "\0\x01\x1b[31m\x7f"s, "\xc2\x9b"s, "\"\\/</script>"s,
        "\u2028\u202e\ufeff\U000e0041"s, "\r\n\ndata: x\n"s, "\ufffd"s}) {
    const json::object stream = stdout_json(printing(data));
    EXPECT_EQ(string_at(stream, "text"), data);
    EXPECT_FALSE(stream.contains("base64"));
  }
}

TEST(ToJson, InvalidBytesStandExactlyInBase64) {
  const struct {
    std::string data;
    std::string_view text;
    std::string_view base64;
  } cases[] = {
      {"\xff", "\ufffd", "/w=="},
      {"a\xc0\xaf", "a\ufffd\ufffd", "YcCv"},
      {"\xed\xa0\x80", "\ufffd\ufffd\ufffd", "7aCA"},
      {"\xff\xfeh\0i\0"s, "\ufffd\ufffdh\0i\0"sv, "//5oAGkA"},
  };
  for (const auto& c : cases) {
    const json::object stream = stdout_json(printing(c.data));
    EXPECT_EQ(string_at(stream, "text"), c.text);
    EXPECT_EQ(string_at(stream, "base64"), c.base64);
  }
}

TEST(ToJson, ACharacterCutByTruncationIsLeftOut) {
  StageOutcome stage = printing("ab\xe2\x82");
  stage.out.truncated = true;
  json::object stream = stdout_json(stage);
  EXPECT_EQ(string_at(stream, "text"), "ab");
  EXPECT_FALSE(stream.contains("base64"));

  stage.out.truncated = false;  // the program itself ended there
  stream = stdout_json(stage);
  EXPECT_EQ(string_at(stream, "text"), "ab\ufffd");
  EXPECT_EQ(string_at(stream, "base64"), "YWLigg==");

  stage = printing(
      "\xff"
      "ab\xe2\x82");
  stage.out.truncated = true;
  stream = stdout_json(stage);
  EXPECT_EQ(string_at(stream, "text"),
            "\ufffd"
            "ab");
  EXPECT_EQ(string_at(stream, "base64"), base64_encode(stage.out.data));
}

TEST(ToJson, EveryStringIsRepaired) {
  Outcome outcome = with_stage({});
  outcome.reason = outcome.language = outcome.toolchain = outcome.policy = "\xff";
  outcome.host.kernel = outcome.host.cgroup_mode = "\xff";
  outcome.stages[0].reason = "\xff";
  outcome.stages[0].denied = {{.name = "\xff", .count = 1}};
  outcome.artifacts = {{.path = "\xff", .content = ""}};
  const json::object object = parse(outcome);
  EXPECT_EQ(object.at("reason"), "\ufffd");
  EXPECT_EQ(object.at("artifacts").at(0).at("path"), "\ufffd");
  EXPECT_EQ(object.at("artifacts").at(0).at("path_base64"), "/w==");
  EXPECT_EQ(object.at("stages").at(0).at("reason"), "\ufffd");
}

TEST(ToJson, IsHarmlessOnATerminal) {
  std::mt19937 random(5);
  for (int i = 0; i < 200; ++i) {
    std::string data;
    for (int k = 0; k < 64; ++k) data += static_cast<char>(random() % 256);
    data += "\x1b[2J\xc2\x9b\u202e\u200b\x7f\r";
    const std::string text = to_json(with_stage(printing(data)));
    EXPECT_EQ(escape_for_terminal(text), text);
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

// A client that reserves for the worst case needs this factor: "\u0000" for one byte.
TEST(ToJson, GrowsAtMostSixfold) {
  const std::size_t empty = to_json(with_stage(printing(""))).size();
  constexpr std::size_t kBytes = 10'000;
  const std::size_t full = to_json(with_stage(printing(std::string(kBytes, '\0')))).size();
  EXPECT_LE(full - empty, 6 * kBytes + 4);  // and the digits of total_bytes
}

}  // namespace
}  // namespace belljar
