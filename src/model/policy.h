// Policy: what a program is allowed. Data with a reason per rule; read from policies/*.toml.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "model/wall.h"

namespace belljar {

// The limits of one stage. They hold for the cell as a whole, not for each process.
struct Limits {
  Nanoseconds wall = std::chrono::seconds(10);  // from the program's first instruction
  Nanoseconds cpu = std::chrono::seconds(10);   // summed over all threads and processes
  std::uint64_t memory = 256 * kMiB;            // bytes, kernel memory and tmpfs included, no swap
  std::uint64_t processes = 64;                 // threads count too
  std::uint64_t output = 1 * kMiB;              // bytes kept of each of stdout and stderr
  std::uint64_t box = 64 * kMiB;                // bytes in /box; also bounded by memory
  std::uint64_t tmp = 64 * kMiB;                // bytes in each of /tmp and /dev/shm
  std::uint64_t inodes = 16384;                 // files in each of /box, /tmp and /dev/shm
  std::uint64_t open_files = 1024;              // descriptors per process
  std::uint64_t file_size = 64 * kMiB;          // bytes of one file (RLIMIT_FSIZE)
  std::uint64_t stack = 8 * kMiB;               // bytes (RLIMIT_STACK)
  std::uint64_t cpus_milli = 1000;              // share of processors: 1000 is one
  std::uint64_t artifacts = 16 * kMiB;          // bytes collected in all

  bool operator==(const Limits&) const = default;
};

// Wanted limits: what a runtime's manifest or a client sets; what is absent keeps its default.
struct LimitOverrides {
  std::optional<Nanoseconds> wall, cpu;
  std::optional<std::uint64_t> memory, processes, output, box, tmp, inodes, open_files, file_size,
      stack, cpus_milli, artifacts;

  bool operator==(const LimitOverrides&) const = default;
};

// What the set-up of a cell needs before it hands the process over to the program.
inline constexpr std::uint64_t kLeastOpenFiles = 8;

// One table says each limit's name, kind and place; parsing, printing and checking all walk it.
struct LimitField {
  std::string_view name;  // as in `--limit NAME=VALUE`, TOML and JSON
  enum class Kind : std::uint8_t { kDuration, kBytes, kCount, kCpus } kind;
  std::string_view help;
  std::uint64_t least = 1;  // of a number; a duration is above zero
  Nanoseconds Limits::* duration = nullptr;
  std::uint64_t Limits::* number = nullptr;
  std::optional<Nanoseconds> LimitOverrides::* wanted_duration = nullptr;
  std::optional<std::uint64_t> LimitOverrides::* wanted_number = nullptr;
};
std::span<const LimitField> limit_fields();

// Sets one limit from text such as ("memory", "128M"). kInvalid names the field. Zero is refused
// for every limit: it never means unlimited.
Status set_limit(LimitOverrides& wanted, std::string_view name, std::string_view value);
// "wall=2s,memory=128M". No name may stand twice.
Result<LimitOverrides> parse_limits(std::string_view text);
Limits apply(Limits base, const LimitOverrides& wanted);
// kDenied names the first field that is over the maximum, with both values. kInvalid for a field
// that set_limit would refuse, such as zero: a message that crossed a socket is checked again.
Status check_within(const Limits& limits, const Limits& maximum);
// The maxima that hold when a policy file names none, and the warden's own in any case.
Limits highest_limits();

enum class Network : std::uint8_t {
  kNone,      // an empty network namespace, lo down
  kLoopback,  // an empty network namespace with lo up
};

// When stdout or stderr passes limits.output.
enum class OnOutputLimit : std::uint8_t {
  kKill,   // the stage ends with output_limit
  kDrain,  // the rest is counted and thrown away; the program goes on
};

// What keeps dangerous names from a program's own code while it runs, in the interpreter itself: a
// guard rail, which is no wall. See runtimes/guards.
enum class Guard : std::uint8_t {
  kNone,
  kNameKeeper,          // pysandbox's; an import brings None
  kNameKeeperRefusing,  // the same; an import is an error
};
std::string_view to_string(Guard guard);  // "none", "namekeeper", "namekeeper-refusing"

struct Policy {
  std::string name = "default";
  Limits defaults;                    // before the runtime's and the client's wishes
  Limits maximum = highest_limits();  // nothing may ask for more
  bool writable_box = true;           // /box may be written to by the run stage
  bool writable_tmp = true;           // /tmp and /dev/shm may be written to by the run stage
  Network network = Network::kLoopback;
  OnOutputLimit on_output_limit = OnOutputLimit::kKill;
  Guard python_guard = Guard::kNone;
  bool warm = true;  // the run stage may begin in an interpreter that others were forked from too
  bool compile_cache = true;  // what the same caller has compiled from the same bytes may be used
  WallSet without;            // walls left out by name: a degraded mode, said in every outcome
  WallSet require;            // walls that must stand, else the program does not start

  bool operator==(const Policy&) const = default;
};

// Reads a policy file's text; an unknown key, a wrong type or a value out of range is kInvalid with
// the key's name. `name` is what the policy is called where the file does not say.
Result<Policy> parse_policy(std::string_view toml, std::string_view name);

}  // namespace belljar
