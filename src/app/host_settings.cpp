#include "app/host_settings.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "base/sys.h"
#include "base/units.h"

namespace belljar::app {
namespace {

constexpr std::size_t kMostBytes = 64 * kKiB;
constexpr std::string_view kVulnerabilities = "/sys/devices/system/cpu/vulnerabilities";

bool is_zero(std::string_view value) {
  return value == "0";
}
bool is_not_zero(std::string_view value) {
  return value != "0";
}
bool is_under_two(std::string_view value) {
  return value == "-1" || value == "0" || value == "1";
}
bool is_pipe(std::string_view value) {
  return value.starts_with('|');
}
// The first line of /proc/swaps is a heading.
bool has_swap(std::string_view value) {
  return value.find('\n') != std::string_view::npos;
}

struct Setting {
  std::string_view name;
  std::string_view path;
  bool (*weak)(std::string_view value);
  std::string_view why;
  std::string_view advice;
};

constexpr std::array kSettings{
    Setting{
        "swap", "/proc/swaps", has_swap,
        "memory of one cell may be written to a disk and slow the others down",
        "swapoff -a, or leave it on where the wall memory-limit stands: it forbids swap to a cell"},
    Setting{"kernel.core_pattern", "/proc/sys/kernel/core_pattern", is_pipe,
            "a crash outside the core limit starts a program on the host, fed by the crashed one",
            "sysctl kernel.core_pattern=core"},
    Setting{"dev.tty.legacy_tiocsti", "/proc/sys/dev/tty/legacy_tiocsti", is_not_zero,
            "a process may type into a terminal it shares; cells share none, other tools might",
            "sysctl dev.tty.legacy_tiocsti=0"},
    Setting{"kernel.io_uring_disabled", "/proc/sys/kernel/io_uring_disabled", is_zero,
            "io_uring is a large kernel surface; the wall seccomp refuses it, this is a second one",
            "sysctl kernel.io_uring_disabled=2"},
    Setting{"vm.unprivileged_userfaultfd", "/proc/sys/vm/unprivileged_userfaultfd", is_not_zero,
            "userfaultfd helps to win kernel races; the wall seccomp refuses it too",
            "sysctl vm.unprivileged_userfaultfd=0"},
    Setting{"kernel.kptr_restrict", "/proc/sys/kernel/kptr_restrict", is_zero,
            "kernel addresses can be read by privileged processes outside of cells",
            "sysctl kernel.kptr_restrict=1"},
    Setting{"kernel.dmesg_restrict", "/proc/sys/kernel/dmesg_restrict", is_zero,
            "anybody may read the kernel's log; the wall seccomp refuses it in a cell",
            "sysctl kernel.dmesg_restrict=1"},
    Setting{"kernel.perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid", is_under_two,
            "performance counters leak what others do; the wall seccomp refuses them in a cell",
            "sysctl kernel.perf_event_paranoid=2"},
    Setting{"kernel.unprivileged_bpf_disabled", "/proc/sys/kernel/unprivileged_bpf_disabled",
            is_zero, "bpf is a large kernel surface; the wall seccomp refuses it in a cell",
            "sysctl kernel.unprivileged_bpf_disabled=2"},
    Setting{"fs.protected_symlinks", "/proc/sys/fs/protected_symlinks", is_zero,
            "links in shared directories of the host are followed",
            "sysctl fs.protected_symlinks=1"},
    Setting{"fs.protected_hardlinks", "/proc/sys/fs/protected_hardlinks", is_zero,
            "hard links to files of others are allowed on the host",
            "sysctl fs.protected_hardlinks=1"},
    Setting{"fs.protected_fifos", "/proc/sys/fs/protected_fifos", is_zero,
            "pipes of others in shared directories of the host are opened",
            "sysctl fs.protected_fifos=1"},
    Setting{"fs.protected_regular", "/proc/sys/fs/protected_regular", is_zero,
            "files of others in shared directories of the host are opened for writing",
            "sysctl fs.protected_regular=1"},
    Setting{"ksm", "/sys/kernel/mm/ksm/run", is_not_zero,
            "merging equal pages lets one cell measure what another holds in memory",
            "echo 2 > /sys/kernel/mm/ksm/run"},
    Setting{"smt", "/sys/devices/system/cpu/smt/active", is_not_zero,
            "two cells may share a core and measure each other",
            "echo off > /sys/devices/system/cpu/smt/control, where that matters"},
};

std::string trimmed(std::string text) {
  text.erase(
      std::find_if_not(text.rbegin(), text.rend(), [](char c) { return c == '\n' || c == ' '; })
          .base(),
      text.end());
  return text;
}

void add_vulnerabilities(const ReadSetting& read, std::vector<HostWarning>& warnings) {
  std::error_code error;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(kVulnerabilities, error))
    paths.push_back(entry.path().string());
  std::ranges::sort(paths);
  for (const std::string& path : paths) {
    const auto text = read(path);
    if (!text || !text->starts_with("Vulnerable")) continue;
    warnings.push_back({.setting = path.substr(kVulnerabilities.size() + 1),
                        .value = trimmed(*text),
                        .why = "this processor leaks between processes and nothing mitigates it",
                        .advice = "update the kernel and the microcode; see mitigations= in the "
                                  "kernel's documentation"});
  }
}

}  // namespace

std::optional<std::string> read_setting(const std::string& path) {
  auto text = sys::read_file(path.c_str(), kMostBytes);
  if (!text) return std::nullopt;
  return *std::move(text);
}

std::vector<HostWarning> examine_host(const ReadSetting& read) {
  std::vector<HostWarning> warnings;
  for (const Setting& setting : kSettings) {
    const auto text = read(std::string(setting.path));
    if (!text) continue;
    const std::string value = trimmed(*text);
    if (!setting.weak(value)) continue;
    warnings.push_back({.setting = std::string(setting.name),
                        .value = value.substr(0, value.find('\n')),
                        .why = setting.why,
                        .advice = setting.advice});
  }
  add_vulnerabilities(read, warnings);
  return warnings;
}

}  // namespace belljar::app
