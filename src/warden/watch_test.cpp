#include "warden/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sys.h"

namespace belljar::warden {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(Watch, TellsWhoHasSomethingToSayUntilItWasHeard) {
  Watch watch;
  ASSERT_TRUE(watch.open());
  auto first = sys::make_pipe();
  auto second = sys::make_pipe();
  ASSERT_TRUE(first && second);
  ASSERT_TRUE(watch.add(first->read.get(), 1));
  ASSERT_TRUE(watch.add(second->read.get(), UINT64_MAX));
  EXPECT_THAT(watch.hear(), IsEmpty());
  ASSERT_TRUE(sys::write_all(second->write.get(), "x"));
  EXPECT_THAT(watch.hear(), ElementsAre(UINT64_MAX));
  EXPECT_THAT(watch.hear(), ElementsAre(UINT64_MAX));
  first->write.reset();  // its end is something too
  EXPECT_THAT(watch.hear(), UnorderedElementsAre(1U, UINT64_MAX));
}

TEST(Watch, WhatWasTakenOutIsNotToldOfThoughSomebodyStillHoldsIt) {
  Watch watch;
  ASSERT_TRUE(watch.open());
  auto pipe = sys::make_pipe();
  ASSERT_TRUE(pipe);
  const Fd held = Fd::adopt(::dup(pipe->read.get()));
  ASSERT_TRUE(watch.add(pipe->read.get(), 1));
  ASSERT_TRUE(sys::write_all(pipe->write.get(), "x"));
  watch.remove(pipe->read.get());
  pipe->read.reset();
  EXPECT_THAT(watch.hear(), IsEmpty());
}

TEST(Watch, ADescriptorIsWatchedOnce) {
  Watch watch;
  ASSERT_TRUE(watch.open());
  auto pipe = sys::make_pipe();
  ASSERT_TRUE(pipe);
  ASSERT_TRUE(watch.add(pipe->read.get(), 1));
  EXPECT_FALSE(watch.add(pipe->read.get(), 2));
  EXPECT_FALSE(watch.add(-1, 3));
}

}  // namespace
}  // namespace belljar::warden
