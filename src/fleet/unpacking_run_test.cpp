#include "fleet/unpacking_run.h"

#include <gtest/gtest.h>

namespace belljar::fleet {
namespace {

TEST(Unpacked, IsCheckedAsFromAStranger) {
  const std::vector<File> good{{.path = "a/b.py", .content = "1", .executable = false},
                               {.path = "c", .content = "", .executable = true}};
  EXPECT_EQ(check_unpacked(good).value(), good);
  for (const std::vector<File>& bad : std::vector<std::vector<File>>{
           {{.path = "../a", .content = "", .executable = false}},
           {{.path = "/a", .content = "", .executable = false}},
           {{.path = "a", .content = "", .executable = false},
            {.path = "a", .content = "", .executable = false}},
           {{.path = "a", .content = "", .executable = false},
            {.path = "a/b", .content = "", .executable = false}},
           {{.path = "a", .content = std::string(65 << 20, 'x'), .executable = false}}}) {
    const auto checked = check_unpacked(bad);
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().code, Code::kUnavailable);
  }
}

TEST(UnpackingRun, TellsWhoAskedHowItEnded) {
  Result<std::vector<File>> told = fail(Code::kInternal, "");
  int times = 0;
  const auto done = [&told, &times](Result<std::vector<File>> files) {
    told = std::move(files);
    ++times;
  };
  UnpackingRun ended("unpack_1", {.archive = "bytes", .done = done});
  EXPECT_EQ(ended.input().bytes, "bytes");
  Outcome outcome;
  outcome.artifacts = {{.path = "a", .content = "b", .executable = false}};
  ended.on_end(outcome);
  EXPECT_EQ(told.value(), outcome.artifacts);
  UnpackingRun refused("unpack_2", {.archive = "bytes", .done = done});
  refused.on_end(fail(Code::kInvalid, "archive: is none"));
  EXPECT_EQ(told.error().code, Code::kInvalid);
  EXPECT_EQ(times, 2);
}

}  // namespace
}  // namespace belljar::fleet
