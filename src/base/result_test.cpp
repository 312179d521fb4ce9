#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace belljar {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Code::kInvalid, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  TRY_ASSIGN(const int once, half(value));
  TRY_ASSIGN(const int twice, half(once));
  return twice;
}

Status need_even(int value) {
  TRY(half(value));
  return {};
}

TEST(Result, TryAssignGivesTheValueOrReturnsTheError) {
  EXPECT_EQ(*quarter(8), 2);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(6).error().code, Code::kInvalid);
}

TEST(Result, TryReturnsTheError) {
  EXPECT_TRUE(need_even(2));
  ASSERT_FALSE(need_even(3));
  EXPECT_EQ(need_even(3).error().message, "odd");
}

TEST(Result, TryAssignMovesWhatCannotBeCopied) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  const auto take = [&]() -> Result<int> {
    TRY_ASSIGN(const std::unique_ptr<int> owned, make());
    return *owned;
  };
  EXPECT_EQ(*take(), 7);
}

TEST(Result, TryIsOneStatement) {
  const auto maybe = [](bool ask) -> Status {
    if (ask)
      TRY(half(1));
    else
      return {};
    return {};
  };
  EXPECT_FALSE(maybe(true));
  EXPECT_TRUE(maybe(false));
}

TEST(Error, ContextIsPutBeforeTheMessage) {
  const Error error{.code = Code::kDenied, .sys = EPERM, .message = "mount: not permitted"};
  const Error outer = error.context("make the root");
  EXPECT_EQ(outer.message, "make the root: mount: not permitted");
  EXPECT_EQ(outer.code, Code::kDenied);
  EXPECT_EQ(outer.sys, EPERM);
}

TEST(FailErrno, ChoosesTheCodeThatCallersBranchOn) {
  const struct {
    int err;
    Code code;
  } cases[] = {
      {ENOENT, Code::kNotFound},  {EACCES, Code::kDenied},    {EPERM, Code::kDenied},
      {EMFILE, Code::kExhausted}, {ENFILE, Code::kExhausted}, {ENOMEM, Code::kExhausted},
      {ENOSPC, Code::kExhausted}, {EAGAIN, Code::kExhausted}, {EINVAL, Code::kInternal},
      {EIO, Code::kInternal},
  };
  for (const auto& c : cases) {
    const Error error = fail_errno("open", c.err).error();
    EXPECT_EQ(error.code, c.code) << c.err;
    EXPECT_EQ(error.sys, c.err);
  }
}

TEST(FailErrno, SaysWhatFailedAndWhy) {
  EXPECT_EQ(fail_errno("open 'a'", ENOENT).error().message, "open 'a': No such file or directory");
  EXPECT_EQ(fail_errno("open", 99999).error().message, "open: unknown error");
  errno = EIO;
  EXPECT_EQ(fail_errno("read").error().message, "read: Input/output error");
}

}  // namespace
}  // namespace belljar
