#include "model/policy.h"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "base/text.h"

namespace belljar {

std::string_view to_string(Guard guard) {
  switch (guard) {
    case Guard::kNone:
      return "none";
    case Guard::kNameKeeper:
      return "namekeeper";
    case Guard::kNameKeeperRefusing:
      break;
  }
  return "namekeeper-refusing";
}

namespace {

using Kind = LimitField::Kind;

// The kernel's smallest quota is 1 ms, and the usual period 100 ms: a hundredth of a processor.
constexpr std::uint64_t kLeastCpusMilli = 10;

constexpr LimitField duration_field(std::string_view name,
                                    std::string_view help,
                                    Nanoseconds Limits::* place,
                                    std::optional<Nanoseconds> LimitOverrides::* wanted) {
  return {.name = name,
          .kind = Kind::kDuration,
          .help = help,
          .duration = place,
          .wanted_duration = wanted};
}

constexpr LimitField number_field(std::string_view name,
                                  Kind kind,
                                  std::string_view help,
                                  std::uint64_t Limits::* place,
                                  std::optional<std::uint64_t> LimitOverrides::* wanted,
                                  std::uint64_t least = 1) {
  return {.name = name,
          .kind = kind,
          .help = help,
          .least = least,
          .number = place,
          .wanted_number = wanted};
}

using L = Limits;
using O = LimitOverrides;

constexpr std::array kFields{
    duration_field(
        "wall", "time from the program's first instruction to its end", &L::wall, &O::wall),
    duration_field("cpu", "processor time of all threads and processes together", &L::cpu, &O::cpu),
    number_field("memory",
                 Kind::kBytes,
                 "memory of the whole cell, its files included",
                 &L::memory,
                 &O::memory),
    number_field("processes",
                 Kind::kCount,
                 "processes and threads alive at the same time",
                 &L::processes,
                 &O::processes),
    number_field(
        "output", Kind::kBytes, "bytes kept of each of stdout and stderr", &L::output, &O::output),
    number_field("box", Kind::kBytes, "bytes of files in /box", &L::box, &O::box),
    number_field(
        "tmp", Kind::kBytes, "bytes of files in each of /tmp and /dev/shm", &L::tmp, &O::tmp),
    number_field(
        "inodes", Kind::kCount, "files in each of /box, /tmp and /dev/shm", &L::inodes, &O::inodes),
    number_field("open_files",
                 Kind::kCount,
                 "open descriptors of each process",
                 &L::open_files,
                 &O::open_files,
                 kLeastOpenFiles),
    number_field("file_size", Kind::kBytes, "bytes of any one file", &L::file_size, &O::file_size),
    number_field("stack", Kind::kBytes, "bytes of each process's main stack", &L::stack, &O::stack),
    number_field("cpus",
                 Kind::kCpus,
                 "share of the processors: 1 is one, 0.5 half of one",
                 &L::cpus_milli,
                 &O::cpus_milli,
                 kLeastCpusMilli),
    number_field(
        "artifacts", Kind::kBytes, "bytes of files brought back", &L::artifacts, &O::artifacts),
};

std::string what_is_allowed(const LimitField& field) {
  switch (field.kind) {
    case Kind::kDuration:
      return "a time above zero such as 2s or 250ms";
    case Kind::kBytes:
      return "a size above zero such as 128M or 64K";
    case Kind::kCount:
      return field.least == 1 ? "a whole number above zero"
                              : "a whole number of at least " + std::to_string(field.least);
    case Kind::kCpus:
      return "a number of processors from 0.01, such as 1 or 0.5, to three decimals";
  }
  std::unreachable();
}

std::unexpected<Error> refused(const LimitField& field, std::string_view value) {
  return fail(Code::kInvalid, "limit " + std::string(field.name) + ": " + quote(value) +
                                  " is not " + what_is_allowed(field));
}

// "1", "0.5", "12.125"; thousandths, never through floating point.
std::optional<std::uint64_t> parse_milli(std::string_view text) {
  constexpr std::uint64_t kOne = 1000;
  const char* const last = text.data() + text.size();
  std::uint64_t whole = 0;
  const auto [end, error] = std::from_chars(text.data(), last, whole);
  if (error != std::errc{} || whole > std::numeric_limits<std::uint64_t>::max() / kOne - 1) {
    return std::nullopt;
  }
  std::uint64_t milli = whole * kOne;
  if (end == last) return milli;
  const std::string_view fraction(end + 1, static_cast<std::size_t>(last - end - 1));
  if (*end != '.' || fraction.empty() || fraction.size() > 3) return std::nullopt;
  std::uint64_t weight = kOne / 10;
  for (const char digit : fraction) {
    if (digit < '0' || digit > '9') return std::nullopt;
    milli += static_cast<std::uint64_t>(digit - '0') * weight;
    weight /= 10;
  }
  return milli;
}

std::optional<std::uint64_t> parse_number(Kind kind, std::string_view text) {
  if (kind == Kind::kCpus) return parse_milli(text);
  const auto value = kind == Kind::kBytes ? parse_bytes(text) : parse_count(text);
  return value ? std::optional(*value) : std::nullopt;
}

std::string known_names() {
  std::string names;
  for (const LimitField& field : kFields) {
    if (!names.empty()) names += ", ";
    names += field.name;
  }
  return names;
}

const LimitField* find_field(std::string_view name) {
  for (const LimitField& field : kFields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

bool is_set(const LimitField& field, const LimitOverrides& wanted) {
  return field.kind == Kind::kDuration ? (wanted.*field.wanted_duration).has_value()
                                       : (wanted.*field.wanted_number).has_value();
}

std::string format_milli(std::uint64_t milli) {
  std::string fraction = std::to_string(milli % 1000 + 1000).substr(1);
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  return std::to_string(milli / 1000) + (fraction.empty() ? "" : "." + fraction);
}

std::string rounded(const LimitField& field, const Limits& limits) {
  if (field.kind == Kind::kDuration) return format_duration(limits.*field.duration);
  const std::uint64_t value = limits.*field.number;
  if (field.kind == Kind::kBytes) return format_bytes(value);
  return field.kind == Kind::kCpus ? format_milli(value) : std::to_string(value);
}

std::string exact(const LimitField& field, const Limits& limits) {
  if (field.kind == Kind::kDuration) {
    return std::to_string((limits.*field.duration).count()) + " ns";
  }
  if (field.kind == Kind::kBytes) return std::to_string(limits.*field.number) + " B";
  return rounded(field, limits);
}

// Two limits that differ never read the same, however near they are.
std::string over(const LimitField& field, const Limits& limits, const Limits& maximum) {
  std::string asked = rounded(field, limits);
  std::string allowed = rounded(field, maximum);
  if (asked == allowed) {
    asked = exact(field, limits);
    allowed = exact(field, maximum);
  }
  return asked + " is over the maximum of " + allowed;
}

}  // namespace

std::span<const LimitField> limit_fields() {
  return kFields;
}

Status set_limit(LimitOverrides& wanted, std::string_view name, std::string_view value) {
  const LimitField* const field = find_field(name);
  if (field == nullptr) {
    return fail(Code::kInvalid,
                "no limit is called " + quote(name) + "; there are " + known_names());
  }
  if (field->kind == Kind::kDuration) {
    const auto duration = parse_duration(value);
    if (!duration || *duration <= Nanoseconds::zero()) return refused(*field, value);
    wanted.*field->wanted_duration = *duration;
  } else {
    const auto number = parse_number(field->kind, value);
    if (!number || *number < field->least) return refused(*field, value);
    wanted.*field->wanted_number = number;
  }
  return {};
}

Result<LimitOverrides> parse_limits(std::string_view text) {
  LimitOverrides wanted;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      return fail(Code::kInvalid,
                  "limits are written NAME=VALUE with commas between, not " + quote(item));
    }
    const std::string_view name = item.substr(0, equals);
    const LimitField* const field = find_field(name);
    if (field != nullptr && is_set(*field, wanted)) {
      return fail(Code::kInvalid, "limit " + std::string(name) + " is set twice");
    }
    TRY(set_limit(wanted, name, item.substr(equals + 1)));
    if (comma == std::string_view::npos) return wanted;
    text.remove_prefix(comma + 1);
  }
}

Limits apply(Limits base, const LimitOverrides& wanted) {
  for (const LimitField& field : kFields) {
    if (field.kind == Kind::kDuration) {
      Nanoseconds& duration = base.*field.duration;
      duration = (wanted.*field.wanted_duration).value_or(duration);
    } else {
      std::uint64_t& number = base.*field.number;
      number = (wanted.*field.wanted_number).value_or(number);
    }
  }
  return base;
}

Status check_within(const Limits& limits, const Limits& maximum) {
  for (const LimitField& field : kFields) {
    const bool timed = field.kind == Kind::kDuration;
    const bool enough =
        timed ? limits.*field.duration > Nanoseconds::zero() : limits.*field.number >= field.least;
    if (!enough) return refused(field, exact(field, limits));
    const bool within = timed ? limits.*field.duration <= maximum.*field.duration
                              : limits.*field.number <= maximum.*field.number;
    if (!within) {
      return fail(Code::kDenied,
                  "limit " + std::string(field.name) + ": " + over(field, limits, maximum));
    }
  }
  return {};
}

Limits highest_limits() {
  return {.wall = std::chrono::hours(1),
          .cpu = std::chrono::hours(1),
          .memory = 16 * kGiB,
          .processes = 4096,
          .output = 64 * kMiB,
          .box = 4 * kGiB,
          .tmp = 4 * kGiB,
          .inodes = 1'000'000,
          .open_files = 65536,
          .file_size = 4 * kGiB,
          .stack = 1 * kGiB,
          .cpus_milli = 64'000,
          .artifacts = 256 * kMiB};
}

}  // namespace belljar
