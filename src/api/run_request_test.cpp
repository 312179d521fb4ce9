#include "api/run_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/json_reader.h"

namespace belljar::api {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<RunRequest> read(std::string_view text) {
  TRY_ASSIGN(const boost::json::value value, parse_json(text));
  return read_run_request(value, "");
}

TEST(RunRequest, ReadsEverything) {
  const auto request = read(R"({"language": "python", "files": [
      {"path": "a.py", "content": "x"},
      {"path": "b.bin", "content": "AAE=", "encoding": "base64", "executable": true}],
    "entry": "a.py", "stdin": "in", "args": ["1"], "env": {"A": "b=c"},
    "limits": {"wall": "2s", "cpu": 1.5, "memory_bytes": 1048576, "cpus": 0.5, "output": "100K"},
    "policy": "judge", "artifacts": ["*.png"], "expected": "42", "compare": "exact",
    "screening": "none", "output": "base64", "webhook": "https://example.org/x"})");
  ASSERT_TRUE(request) << request.error().message;
  const Submission& submission = request->submission;
  EXPECT_EQ(submission.language, "python");
  ASSERT_EQ(submission.files.size(), 2U);
  EXPECT_EQ(submission.files[1].content, std::string("\0\1", 2));
  EXPECT_TRUE(submission.files[1].executable);
  EXPECT_EQ(request->input, "in");
  EXPECT_THAT(submission.args, ElementsAre("1"));
  EXPECT_THAT(submission.env, ElementsAre("A=b=c"));
  EXPECT_EQ(submission.limits.wall, milliseconds(2000));
  EXPECT_EQ(submission.limits.cpu, milliseconds(1500));
  EXPECT_EQ(submission.limits.memory, kMiB);
  EXPECT_EQ(submission.limits.cpus_milli, 500U);
  EXPECT_EQ(submission.limits.output, 100 * kKiB);
  EXPECT_EQ(request->policy, "judge");
  EXPECT_EQ(request->expected, "42");
  EXPECT_EQ(request->compare, engine::Compare::kExact);
  EXPECT_EQ(request->webhook, "https://example.org/x");
}

TEST(RunRequest, IsTheSameAfterAWayThroughTheLedger) {
  const auto first = read(R"({"language": "c", "files": [{"path": "m.c", "content": "/w==",
      "encoding": "base64"}], "stdin": {"content": "/w==", "encoding": "base64"},
      "limits": {"wall_ms": 0.5, "processes": 3}, "args": ["a", ""], "expected": "x"})");
  ASSERT_TRUE(first) << first.error().message;
  const auto again = read(to_json(*first));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->submission.files, first->submission.files);
  EXPECT_EQ(again->submission.limits, first->submission.limits);
  EXPECT_EQ(again->submission.args, first->submission.args);
  EXPECT_EQ(again->input, "\xff");
  EXPECT_EQ(again->expected, first->expected);
  EXPECT_EQ(to_json(*again), to_json(*first));
}

struct Wrong {
  std::string_view text;
  std::string_view message;
};

TEST(RunRequest, EachErrorNamesItsField) {
  const Wrong cases[] = {
      {"[]", "body: must be an object"},
      {"{", "body: not JSON"},
      {"{} x", "body:"},
      {R"({"a":1,"a":2})", "body: the name 'a' stands twice"},
      {R"({"language":"c","source":"","files":[]})", "source: give either"},
      {R"({"language":"c"})", "source: give either"},
      {R"({"source":"x"})", "language: must be given"},
      {R"({"language":1,"source":"x"})", "language: must be a string"},
      {R"({"language":"c","files":{}})", "files: must be an array"},
      {R"({"language":"c","files":[1]})", "files[0]: must be an object"},
      {R"({"language":"c","files":[{"path":"../x","content":""}]})", "files[0].path"},
      {R"({"language":"c","files":[{"path":"x"}]})", "files[0].content: must be a string"},
      {R"({"language":"c","files":[{"path":"x","content":"?","encoding":"base64"}]})",
       "files[0].content: is not base64"},
      {R"({"language":"c","files":[{"path":"x","content":"","encoding":"hex"}]})",
       "files[0].encoding"},
      {R"({"language":"c","files":[{"path":"x","content":"","mode":1}]})",
       "files[0].mode: unknown field"},
      {R"({"language":"c","source":"","args":"x"})", "args: must be an array of strings"},
      {R"({"language":"c","source":"","env":[]})", "env: must be an object"},
      {R"({"language":"c","source":"","env":{"A=":""}})", "env: a name"},
      {R"({"language":"c","source":"","limits":{"memory":"lots"}})", "limits.memory: 'lots'"},
      {R"({"language":"c","source":"","limits":{"memory":-1}})", "limits.memory: must be"},
      {R"({"language":"c","source":"","limits":{"memory":1.5}})", "limits.memory: must be a whole"},
      {R"({"language":"c","source":"","limits":{"wall":1,"wall_ms":1}})", "limits.wall_ms"},
      {R"({"language":"c","source":"","limits":{"speed":1}})", "limits.speed: unknown field"},
      {R"({"language":"c","source":"","output":"raw"})", "output: must be"},
      {R"({"language":"c","source":"","compare":"fuzzy"})", "compare: must be"},
      {R"({"language":"c","source":"","sauce":1})", "sauce: unknown field"},
      {R"({"language":"c","source":"","interactive":true})", "interactive: unknown field"},
      {R"({"language":"c","source":"","labels":[]})", "labels: must be an object"},
      {R"({"language":"c","source":"","labels":{"region":1}})", "labels.region: must be"},
      {R"({"language":"c","source":"","labels":{"Region":"eu"}})", "labels: a label's name"},
      {R"({"language":"c","source":"","labels":{"region":"e u"}})", "labels.region: must be"},
  };
  for (const Wrong& each : cases) {
    const auto request = read(each.text);
    ASSERT_FALSE(request) << each.text;
    EXPECT_EQ(request.error().code, Code::kInvalid) << each.text;
    EXPECT_THAT(request.error().message, HasSubstr(std::string(each.message))) << each.text;
  }
}

TEST(RunRequest, WhatIsKeptIsReadAgainAndSentAgain) {
  auto request = read(R"({"language":"c","source":"","labels":{"region":"eu","tier":"1"}})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(to_string(request->labels), "region=eu,tier=1");
  request->submission.files.front().path = "main.c";
  for (const bool interactive : {false, true}) {
    request->interactive = interactive;
    const std::string kept = to_json(*request);
    const auto again = read_stored_request(*parse_json(kept));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->labels, request->labels);
    EXPECT_EQ(again->interactive, interactive);
    const auto sent = as_sent(kept);
    ASSERT_TRUE(sent) << sent.error().message;
    EXPECT_TRUE(read(*sent)) << *sent;
  }
}

TEST(RunRequest, DepthIsBounded) {
  std::string deep = R"({"language":"c","source":"","args":)";
  deep += std::string(100'000, '[');
  const auto request = read(deep);
  ASSERT_FALSE(request);
  EXPECT_THAT(request.error().message, HasSubstr("body: not JSON"));
}

TEST(RunRequest, TextMustBeUtf8) {
  EXPECT_FALSE(read("{\"language\":\"c\",\"source\":\"\xff\"}"));
}

}  // namespace
}  // namespace belljar::api
