#include "cell/lease.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <set>
#include <string>

namespace belljar::cell {
namespace {

class Leases : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/belljar-leases-XXXXXX";
    const int fd = ::mkstemp(name.data());
    ASSERT_GE(fd, 0);
    ::close(fd);
    file_ = name;
  }
  void TearDown() override { ::unlink(file_.c_str()); }

  std::string file_;
};

TEST_F(Leases, NoSlotIsGivenTwice) {
  std::set<unsigned> slots;
  std::vector<UidLease> held;
  for (int i = 0; i < 8; ++i) {
    Result<UidLease> lease = UidLease::take(file_, 8);
    ASSERT_TRUE(lease.has_value());
    slots.insert(lease->slot());
    held.push_back(*std::move(lease));
  }
  EXPECT_EQ(slots.size(), 8U);
  const Result<UidLease> ninth = UidLease::take(file_, 8);
  ASSERT_FALSE(ninth.has_value());
  EXPECT_EQ(ninth.error().code, Code::kExhausted);
}

TEST_F(Leases, ASlotThatWasGivenBackRestsWhileOthersAreFree) {
  unsigned first = 0;
  {
    const Result<UidLease> lease = UidLease::take(file_, 64);
    ASSERT_TRUE(lease.has_value());
    first = lease->slot();
    EXPECT_FALSE(UidLease::is_free(file_, first));
  }
  EXPECT_TRUE(UidLease::is_free(file_, first));
  for (int i = 0; i < 200; ++i) {
    const Result<UidLease> lease = UidLease::take(file_, 64);
    ASSERT_TRUE(lease.has_value());
    if (i < 60) EXPECT_NE(lease->slot(), first);
  }
}

TEST_F(Leases, ALinkInPlaceOfTheFileIsRefused) {
  const std::string link = file_ + ".link";
  ASSERT_EQ(::symlink(file_.c_str(), link.c_str()), 0);
  EXPECT_FALSE(UidLease::take(link, 8).has_value());
  ::unlink(link.c_str());
}

}  // namespace
}  // namespace belljar::cell
