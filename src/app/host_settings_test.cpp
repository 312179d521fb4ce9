#include "app/host_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace belljar::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> settings_of(const std::map<std::string, std::string>& files) {
  std::vector<std::string> names;
  for (const HostWarning& warning : examine_host([&](const std::string& path) {
         const auto found = files.find(path);
         return found == files.end() ? std::nullopt : std::optional(found->second);
       }))
    names.push_back(warning.setting + "=" + warning.value);
  return names;
}

TEST(HostSettings, AHostWithoutTheSettingsGetsNoWarning) {
  EXPECT_THAT(settings_of({}), IsEmpty());
}

TEST(HostSettings, AHardenedHostGetsNoWarning) {
  EXPECT_THAT(settings_of({{"/proc/swaps", "Filename Type Size Used Priority\n"},
                           {"/proc/sys/kernel/core_pattern", "core\n"},
                           {"/proc/sys/dev/tty/legacy_tiocsti", "0\n"},
                           {"/proc/sys/kernel/perf_event_paranoid", "3\n"},
                           {"/proc/sys/kernel/kptr_restrict", "1\n"}}),
              IsEmpty());
}

TEST(HostSettings, NamesEachWeakSettingWithItsValue) {
  EXPECT_THAT(settings_of({{"/proc/sys/kernel/core_pattern", "|/usr/bin/handler %p\n"},
                           {"/proc/sys/dev/tty/legacy_tiocsti", "1\n"},
                           {"/proc/sys/kernel/perf_event_paranoid", "-1\n"}}),
              ElementsAre("kernel.core_pattern=|/usr/bin/handler %p", "dev.tty.legacy_tiocsti=1",
                          "kernel.perf_event_paranoid=-1"));
}

TEST(HostSettings, SwapIsOnWhenTheTableHasARow) {
  EXPECT_THAT(settings_of({{"/proc/swaps", "Filename Type\n/dev/sda2 partition\n"}}).size(), 1U);
}

}  // namespace
}  // namespace belljar::app
