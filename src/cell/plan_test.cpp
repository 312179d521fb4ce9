#include "cell/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace belljar::cell {
namespace {

Host host_of(Privilege privilege, int landlock_abi) {
  Host host;
  host.privilege = privilege;
  host.landlock_abi = landlock_abi;
  host.time_namespace = true;
  host.system_directories = {"/usr"};
  host.system_links = {{"bin", "usr/bin"}};
  return host;
}

CellSpec spec_of_true() {
  CellSpec spec;
  spec.argv = {"/usr/bin/true"};
  return spec;
}

const CgroupPlace kAllGroups{
    .walls = {Wall::kMemoryLimit, Wall::kProcessLimit, Wall::kCpuLimit, Wall::kCpuBill},
    .mark = "/belljar/c1",
    .count = 2};

std::unique_ptr<LaunchPlan> plan_of(const Host& host, const CellSpec& spec) {
  const Identity identity{.user = 7, .init = 8};
  Result<std::unique_ptr<LaunchPlan>> plan =
      make_plan(host, spec, Bundle{}, identity, LaunchFds{}, kAllGroups);
  EXPECT_TRUE(plan.has_value());
  return plan ? *std::move(plan) : nullptr;
}

TEST(Plan, RootOnANewKernelHasEveryWall) {
  EXPECT_EQ(plan_of(host_of(Privilege::kRoot, 7), spec_of_true())->walls, WallSet::full());
}

TEST(Plan, NamesWhatAnOlderKernelAndAnOrdinaryUserCannotGive) {
  const WallSet walls = plan_of(host_of(Privilege::kSingleUid, 3), spec_of_true())->walls;
  const WallSet missing{Wall::kPrivateDevices, Wall::kOwnUid, Wall::kInitUid, Wall::kLandlockScope};
  EXPECT_EQ(WallSet::full().minus(walls), missing);
}

TEST(Plan, RefusesWhenARequiredWallIsMissing) {
  CellSpec spec = spec_of_true();
  spec.require = WallSet::full();
  const auto plan =
      make_plan(host_of(Privilege::kRoot, 3), spec, Bundle{}, Identity{}, LaunchFds{}, kAllGroups);
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code, Code::kDenied);
  EXPECT_THAT(plan.error().message, testing::HasSubstr("landlock-scope"));
}

TEST(Plan, AWallLeftOutByNameIsMissingAndCannotBeRequiredToo) {
  CellSpec spec = spec_of_true();
  spec.without = {Wall::kSeccomp};
  EXPECT_EQ(WallSet::full().minus(plan_of(host_of(Privilege::kRoot, 7), spec)->walls),
            WallSet{Wall::kSeccomp});
  spec.require = {Wall::kSeccomp};
  EXPECT_FALSE(
      make_plan(host_of(Privilege::kRoot, 7), spec, Bundle{}, Identity{}, LaunchFds{}, kAllGroups)
          .has_value());
}

TEST(Plan, MountsOfARuntimeThatAreInsideAnotherAreNotMountedTwice) {
  CellSpec spec = spec_of_true();
  spec.mounts = {"/usr/lib", "/etc"};
  const auto plan = plan_of(host_of(Privilege::kRoot, 7), spec);
  std::vector<std::string> sources;
  for (const OverlayMount& mount : plan->overlays) sources.push_back(mount.source);
  EXPECT_THAT(sources, testing::ElementsAre("/usr", "/etc"));
}

TEST(Plan, HeadersLieOverTheHostsAndAreDoneWithoutWhereTheyAreGone) {
  const auto options_of = [](const CellSpec& spec) {
    std::vector<std::string> options;
    for (const OverlayMount& mount : plan_of(host_of(Privilege::kRoot, 7), spec)->overlays) {
      options.push_back(mount.options);
    }
    return options;
  };
  std::string folder = "/var/tmp/belljar-plan-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  ASSERT_EQ(::mkdir((folder + "/usr").c_str(), 0755), 0);
  CellSpec spec = spec_of_true();
  spec.mounts = {"/etc"};
  spec.headers = folder;
  EXPECT_THAT(options_of(spec),
              testing::ElementsAre("lowerdir=" + folder + "/usr:/usr", "lowerdir=/etc:run"));
  ASSERT_EQ(::rmdir((folder + "/usr").c_str()), 0);
  EXPECT_THAT(options_of(spec), testing::ElementsAre("lowerdir=/usr:run", "lowerdir=/etc:run"));
  ASSERT_EQ(::rmdir(folder.c_str()), 0);
  EXPECT_THAT(options_of(spec), testing::ElementsAre("lowerdir=/usr:run", "lowerdir=/etc:run"));
}

TEST(Plan, AMissingMountIsNamed) {
  CellSpec spec = spec_of_true();
  spec.mounts = {"/no/such/directory"};
  const auto plan =
      make_plan(host_of(Privilege::kRoot, 7), spec, Bundle{}, Identity{}, LaunchFds{}, kAllGroups);
  ASSERT_FALSE(plan.has_value());
  EXPECT_THAT(plan.error().message, testing::HasSubstr("/no/such/directory"));
}

TEST(Plan, TheProgramCannotAskForInitsFilter) {
  CellSpec spec = spec_of_true();
  for (const char* profile : {"init", "none", ""}) {
    spec.profile = profile;
    EXPECT_FALSE(
        make_plan(host_of(Privilege::kRoot, 7), spec, Bundle{}, Identity{}, LaunchFds{}, kAllGroups)
            .has_value());
  }
}

TEST(Plan, NothingIsWritableButWhatTheSpecSays) {
  CellSpec spec = spec_of_true();
  spec.writable_box = false;
  spec.writable_tmp = false;
  const auto plan = plan_of(host_of(Privilege::kRoot, 7), spec);
  for (const Scratch& scratch : plan->scratches) EXPECT_FALSE(scratch.writable) << scratch.target;
  constexpr std::uint64_t kWriteFile = 1ULL << 1;
  for (const LandlockRule& rule : plan->landlock_rules) {
    if (rule.path != "/dev") EXPECT_EQ(rule.access & kWriteFile, 0U) << rule.path;
  }
}

TEST(Plan, TheProcessorLimitOfAProcessWarnsBeforeItKills) {
  const auto limit_of = [](const LaunchPlan& plan) {
    return *std::ranges::find(plan.rlimits, RLIMIT_CPU, &ResourceLimit::resource);
  };
  CellSpec spec = spec_of_true();
  spec.limits.cpu = std::chrono::milliseconds(2500);
  const auto billed = plan_of(host_of(Privilege::kRoot, 7), spec);
  EXPECT_EQ(limit_of(*billed).soft, 5U);
  EXPECT_EQ(limit_of(*billed).hard, 6U);
  spec.without = {Wall::kCpuBill};
  const auto alone = plan_of(host_of(Privilege::kRoot, 7), spec);
  EXPECT_EQ(limit_of(*alone).soft, 3U);
  EXPECT_EQ(limit_of(*alone).hard, 4U);
}

TEST(Plan, ListsForTheKernelEndWithNull) {
  const auto plan = plan_of(host_of(Privilege::kRoot, 7), spec_of_true());
  ASSERT_EQ(plan->argv.size(), 2U);
  EXPECT_STREQ(plan->argv[0], "/usr/bin/true");
  EXPECT_EQ(plan->argv[1], nullptr);
  EXPECT_EQ(plan->envp.back(), nullptr);
  EXPECT_EQ(plan->init_argv.back(), nullptr);
}

}  // namespace
}  // namespace belljar::cell
