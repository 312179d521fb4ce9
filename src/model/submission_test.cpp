#include "model/submission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/glob.h"

namespace belljar {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

std::string repeat(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

Submission with_files(const std::vector<std::string>& paths) {
  Submission submission;
  for (const std::string& path : paths) submission.files.push_back({.path = path, .content = ""});
  return submission;
}

void expect_refused(const Submission& submission, std::string_view part) {
  const Status status = check_submission(submission);
  ASSERT_FALSE(status) << part;
  EXPECT_EQ(status.error().code, Code::kInvalid);
  EXPECT_THAT(status.error().message, HasSubstr(std::string(part)));
  EXPECT_EQ(status.error().message.find('\n'), std::string::npos);
}

TEST(CheckPath, AllowsOrdinaryAndOddButHarmlessNames) {
  for (const std::string& path : {
           "a"s,
           "main.py"s,
           "src/lib/mod.rs"s,
           ".hidden"s,
           "..."s,
           "..a"s,
           "a.."s,
           "a/...b"s,
           "with space.txt"s,
           "-x"s,
           "--"s,
           "@file"s,
           "$(id)"s,
           "a'b\"c"s,
           "back\\slash"s,
           "a:b"s,
           "CON"s,
           "nul.txt"s,
           "C:\\x"s,
           "été/漢字.txt"s,
           "🙂"s,
           "*"s,
           "~"s,
           "a\u00a0b"s,
           std::string(kMaxNameBytes, 'n'),
           repeat("d/", kMaxPathDepth - 1) + "f",
           repeat(std::string(254, 'p') + "/", 4) + "file",
       }) {
    EXPECT_TRUE(check_path(path)) << path;
  }
}

TEST(CheckPath, RefusesWhatCouldLeaveTheBoxOrIsNoName) {
  const struct {
    std::string path;
    std::string_view rule;
  } cases[] = {
      {"", "must not be empty"},
      {"/", "must be relative"},
      {"/etc/passwd", "must be relative"},
      {"//a", "must be relative"},
      {".", "'.' or '..'"},
      {"..", "'.' or '..'"},
      {"../a", "'.' or '..'"},
      {"a/..", "'.' or '..'"},
      {"a/../b", "'.' or '..'"},
      {"./a", "'.' or '..'"},
      {"a/./b", "'.' or '..'"},
      {"a/", "must not end with a slash"},
      {"a//b", "empty component"},
      {"a\0b"s, "control characters"},
      {"\0"s, "control characters"},
      {"a\nb", "control characters"},
      {"a\tb", "control characters"},
      {"a\x1b[31m", "control characters"},
      {"a\x7f", "control characters"},
      {"a\u009b"
       "b",
       "control characters"},
      {"a\u0080", "control characters"},
      {"a\xff", "valid UTF-8"},
      {"a\x9b"
       "b",
       "valid UTF-8"},
      {"\xc0\xae\xc0\xae/a", "valid UTF-8"},
      {"\xed\xa0\x80", "valid UTF-8"},
      {std::string(kMaxNameBytes + 1, 'n'), "more than 255 bytes"},
      {repeat("d/", kMaxPathDepth) + "f", "more than 32 components"},
      {repeat(std::string(200, 'p') + "/", 5) + std::string(20, 'q'), "longer than 1024 bytes"},
      {std::string(4097, 'x'), "longer than 1024 bytes"},
  };
  for (const auto& c : cases) {
    const Status status = check_path(c.path);
    ASSERT_FALSE(status) << c.path;
    EXPECT_EQ(status.error().code, Code::kInvalid);
    EXPECT_THAT(status.error().message, HasSubstr(std::string(c.rule))) << c.path;
  }
}

TEST(CheckPath, AnArtifactsNameNeedNotBeText) {
  for (const std::string_view path : {"a\xff", "d\x9b/\xc3", "plot.png", "\u00e9"})
    EXPECT_TRUE(check_artifact_path(path)) << path;
  for (const std::string_view path : {"\xff/../b", "/\xff", "\xff\n", "\xff\x1b[0m", "\xff//b"})
    EXPECT_FALSE(check_artifact_path(path)) << path;
}

TEST(CheckPath, TheMessageIsOneHarmlessLine) {
  const Status status = check_path("a\n\x1b]0;title\x07\u202e");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "path 'a\\n\\x1b]0;title\\x07\\u202e': must not have control characters");
}

TEST(CheckSubmission, AllowsAnEmptyAndAnOrdinaryOne) {
  EXPECT_TRUE(check_submission({}));
  Submission submission = with_files({"main.py", "lib/a.py", "lib/b.py", "Main.py"});
  submission.entry = "main.py";
  submission.args = {"", "-x", "--", "a b", "\xff", "$(id)\n"};
  submission.env = {"A=", "B=c=d", "LD_PRELOAD=x", "odd name=1", "N=\xff\n"};
  submission.artifacts = {"*.png", "**", "out/**/*.csv"};
  EXPECT_TRUE(check_submission(submission));
}

TEST(CheckSubmission, RefusesABadPathAmongTheFiles) {
  expect_refused(with_files({"a", "../b"}), "path '../b'");
}

TEST(CheckSubmission, RefusesDuplicates) {
  expect_refused(with_files({"a/b", "c", "a/b"}), "path 'a/b': is given twice");
}

TEST(CheckSubmission, RefusesAFileThatIsAlsoADirectory) {
  expect_refused(with_files({"a", "a/b"}), "path 'a': is a file and also a directory of 'a/b'");
  expect_refused(with_files({"a/b/c/d", "a/b"}), "path 'a/b': is a file and also a directory");
  EXPECT_TRUE(check_submission(with_files({"a", "ab/c", "a.d/e", "b/a"})));
}

TEST(CheckSubmission, BoundsTheNumberOfFiles) {
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < kMaxFiles; ++i) paths.push_back("f" + std::to_string(i));
  EXPECT_TRUE(check_submission(with_files(paths)));
  paths.emplace_back("one-more");
  expect_refused(with_files(paths), "files: 4097 are over the maximum of 4096");
}

TEST(CheckSubmission, ChecksTheEntryLikeAPath) {
  Submission submission = with_files({"main.py"});
  submission.entry = "../main.py";
  expect_refused(submission, "path '../main.py'");
}

TEST(CheckSubmission, BoundsArguments) {
  Submission submission;
  submission.args.assign(kMaxArgs, "x");
  EXPECT_TRUE(check_submission(submission));
  submission.args.emplace_back("x");
  expect_refused(submission, "args: 1025 are over the maximum of 1024");
  submission.args = {"ok", std::string(kMaxArgBytes, 'x')};
  EXPECT_TRUE(check_submission(submission));
  submission.args[1] += 'x';
  expect_refused(submission, "args[1]: is longer than 131071 bytes");
  submission.args = {"a\0b"s};
  expect_refused(submission, "args[0]: must not have a NUL byte");
}

TEST(CheckSubmission, BoundsTheEnvironment) {
  Submission submission;
  submission.env.assign(10'000, "A=1");
  expect_refused(submission, "env: 10000 are over the maximum of 1024");
  submission.env = {"A=" + std::string(kMaxArgBytes - 1, 'x')};
  expect_refused(submission, "env[0]: is longer than 131071 bytes");
}

TEST(CheckSubmission, RefusesEnvironmentEntriesThatAreNoAssignment) {
  for (const std::string& entry : {""s, "NAME"s, "=value"s, "="s}) {
    Submission submission;
    submission.env = {entry};
    expect_refused(submission, "is not NAME=value");
  }
  Submission submission;
  submission.env = {"A=1", "B=\0"s};
  expect_refused(submission, "env[1]: must not have a NUL byte");
}

TEST(CheckSubmission, BoundsArgumentsAndEnvironmentTogether) {
  Submission submission;
  const std::string large(kMaxArgBytes, 'x');  // with its NUL an eighth of the total
  submission.args.assign(4, large);
  submission.env.assign(4, "A=" + large.substr(2));
  EXPECT_TRUE(check_submission(submission));
  submission.env.emplace_back("B=");
  expect_refused(submission, "together longer than 1048576 bytes");
}

TEST(CheckSubmission, BoundsArtifactPatterns) {
  Submission submission;
  submission.artifacts.assign(kMaxArtifactGlobs, "*");
  EXPECT_TRUE(check_submission(submission));
  submission.artifacts.emplace_back("*");
  expect_refused(submission, "artifacts: 65 patterns are over the maximum of 64");
}

TEST(CheckSubmission, RefusesArtifactPatternsThatCouldNeverMatch) {
  const std::string cases[] = {"", "a\0b"s, "/etc/*", std::string(kMaxGlobLength + 1, 'a')};
  for (const std::string& glob : cases) {
    Submission submission;
    submission.artifacts = {glob};
    expect_refused(submission, "artifacts: ");
  }
}

}  // namespace
}  // namespace belljar
