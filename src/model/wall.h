// Wall: one control that stands between a program and the host. Named the same in the policy files,
// in `--require`, in `belljar doctor` and in every outcome.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belljar {

enum class Wall : std::uint8_t {
  kPidNamespace,
  kMountNamespace,
  kNetNamespace,
  kIpcNamespace,
  kUtsNamespace,
  kCgroupNamespace,
  kTimeNamespace,
  kPrivateRoot,     // a read-only root whose inodes no other cell shares (overlayfs per cell)
  kPrivateDevices,  // device nodes of the cell's own, not the host's inodes
  kProc,            // a /proc of its own, subset=pid, hidepid=2
  kOwnUid,          // a host uid that no other cell and no person has
  kInitUid,         // the cell's init has a uid that the program cannot become
  kNoCapabilities,
  kNoNewPrivs,
  kLandlock,
  kLandlockScope,  // no signal and no abstract socket leaves the cell (Landlock ABI 6)
  kSeccomp,
  kMemoryLimit,   // of the cell as a whole, by cgroup
  kProcessLimit,  // of the cell as a whole, by cgroup
  kCpuLimit,      // share of the processors, by cgroup
  kCpuBill,       // processor time of the cell as a whole, by cgroup
  kRlimits,
};
inline constexpr int kWallCount = static_cast<int>(Wall::kRlimits) + 1;

std::string_view to_string(Wall wall);           // "pid-namespace"
std::string_view explain(Wall wall);             // one sentence for people
Result<Wall> parse_wall(std::string_view name);  // kInvalid lists the known names

// A set of walls; a value that also crosses the warden's socket as its bits.
class WallSet {
 public:
  constexpr WallSet() = default;
  constexpr WallSet(std::initializer_list<Wall> walls) {
    for (const Wall wall : walls) add(wall);
  }
  static constexpr WallSet full() { return from_bits((1U << kWallCount) - 1); }
  static constexpr WallSet from_bits(std::uint32_t bits) {
    WallSet set;
    set.bits_ = bits & ((1U << kWallCount) - 1);
    return set;
  }

  constexpr void add(Wall wall) { bits_ |= bit(wall); }
  constexpr void remove(Wall wall) { bits_ &= ~bit(wall); }
  [[nodiscard]] constexpr bool has(Wall wall) const { return (bits_ & bit(wall)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  [[nodiscard]] constexpr std::uint32_t bits() const { return bits_; }
  [[nodiscard]] constexpr WallSet minus(WallSet other) const {
    return from_bits(bits_ & ~other.bits_);
  }
  [[nodiscard]] std::vector<std::string> names() const;
  constexpr bool operator==(const WallSet&) const = default;

 private:
  static constexpr std::uint32_t bit(Wall wall) { return 1U << static_cast<unsigned>(wall); }
  std::uint32_t bits_ = 0;
};

// "FULL", or names separated by commas.
Result<WallSet> parse_walls(std::string_view text);

}  // namespace belljar
