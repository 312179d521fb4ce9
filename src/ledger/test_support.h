// For the tests of this folder: a folder that goes when the test ends, and values to begin with.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "ledger/store.h"

namespace belljar::ledger {

inline constexpr std::int64_t kNoonMs = 1'700'000'000'000;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = testing::TempDir() + "belljar-ledger-XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file() const { return path_ + "/ledger.db"; }

 private:
  std::string path_;
};

inline Run run_named(const std::string& id, std::int64_t created_ms = kNoonMs) {
  Run run;
  run.id = id;
  run.caller = "key_ada";
  run.language = "python";
  run.policy = "default";
  run.submission = R"({"language":"python","source":"pass"})";
  run.created_ms = created_ms;
  return run;
}

inline Ending ending_at(std::int64_t at_ms, State state = State::kDone) {
  return {.state = state,
          .status = "ok",
          .reason = "exit code 0",
          .outcome = R"({"status":"ok"})",
          .notice = {},
          .at_ms = at_ms};
}

template <typename T>
std::string message(const Result<T>& result) {
  return result ? "" : result.error().message;
}

}  // namespace belljar::ledger

#define ASSERT_OK(expression)                                                  \
  do {                                                                         \
    const auto& ok_result = (expression);                                      \
    ASSERT_TRUE(ok_result.has_value()) << belljar::ledger::message(ok_result); \
  } while (false)
#define EXPECT_CODE(expected, expression)                                           \
  do {                                                                              \
    const auto& code_result = (expression);                                         \
    ASSERT_FALSE(code_result.has_value());                                          \
    EXPECT_EQ(code_result.error().code, (expected)) << code_result.error().message; \
  } while (false)
