// HostSettings: knobs of the kernel that weaken every cell when they stand wrong.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belljar::app {

struct HostWarning {
  std::string setting;  // "kernel.kptr_restrict"
  std::string value;    // as found
  std::string_view why;
  std::string_view advice;
};

// The text of a file, or nothing where it cannot be read.
using ReadSetting = std::function<std::optional<std::string>(const std::string& path)>;
// Those of this host.
std::optional<std::string> read_setting(const std::string& path);

// A setting that this kernel does not have is no warning.
std::vector<HostWarning> examine_host(const ReadSetting& read);

}  // namespace belljar::app
