#include "warden/pool.h"

#include <algorithm>
#include <string_view>

#include "base/sys.h"
#include "base/units.h"

namespace belljar::warden {
namespace {

constexpr std::size_t kMaxClasses = 16;
constexpr Nanoseconds kClassLife = std::chrono::minutes(10);
// A cell shows the host's directories as they were when it was made.
constexpr Nanoseconds kCellLife = std::chrono::minutes(5);
constexpr Nanoseconds kRetry = std::chrono::seconds(1);
constexpr Nanoseconds kZygoteRetry = std::chrono::seconds(30);
// Below this share of the host's memory nothing waits.
constexpr std::uint64_t kScarce = 10;
// What a hand-over has open at once.
constexpr std::uint64_t kHandoverFiles = 32;

cell::CellSpec class_of(const cell::CellSpec& spec) {
  cell::CellSpec kind = spec;
  kind.argv.clear();
  kind.env.clear();
  kind.program_by_descriptor = false;
  // The warden's own clocks and the client's own cut: nothing in the cell is made from them.
  kind.limits.wall = Limits{}.wall;
  kind.limits.output = Limits{}.output;
  return kind;
}

// How long an answer of /proc/meminfo holds: to have it takes longer than all else that is done to
// see whether a cell is wanted, and that is seen several times in each run.
constexpr Nanoseconds kMemoryLook = std::chrono::milliseconds(50);

bool is_memory_scarce_now() {
  const Result<std::string> text = sys::read_file("/proc/meminfo", 16 * kKiB);
  if (!text) return false;
  const auto kilobytes = [&text](std::string_view name) -> std::uint64_t {
    const std::size_t at = text->find(name);
    return at == std::string::npos ? 0
                                   : std::strtoull(text->c_str() + at + name.size(), nullptr, 10);
  };
  return kilobytes("MemAvailable:") * 100 < kilobytes("MemTotal:") * kScarce;
}

}  // namespace

bool Pool::serves(const cell::CellSpec& spec, const Bundle& files) {
  const auto fits = [&spec](const BundleFile& file) {
    return file.content.size() <= spec.limits.file_size;
  };
  return !spec.terminal && spec.limits.open_files >= kHandoverFiles &&
         std::ranges::all_of(files.files, fits);
}

void Pool::expect(const cell::CellSpec& spec, bool surely) {
  if (size_ == 0) return;
  cell::CellSpec kind = class_of(spec);
  std::string key = cell::encode(kind, {});
  auto known = classes_.find(key);
  if (known == classes_.end()) {
    // The class whose last run is longest ago makes room when sort_out() comes by.
    if (classes_.size() >= 2 * kMaxClasses) return;
    known = classes_.emplace(std::move(key), Class{.spec = std::move(kind), .cells = {}}).first;
  }
  known->second.used = sys::now();
  known->second.wishes += surely ? Class::kWishes : 1;
  if (Nest* const nest = nest_of(spec)) {
    nest->used = known->second.used;
    nest->stays = nest->stays || surely;
  }
}

bool Pool::has_ready(const cell::CellSpec& spec) const {
  const auto known = classes_.find(cell::encode(class_of(spec), {}));
  return known != classes_.end() && std::ranges::any_of(known->second.cells, [](const auto& cell) {
           return cell->is_parked();
         });
}

std::unique_ptr<CellRun> Pool::take(const cell::CellSpec& spec) {
  if (size_ == 0) return nullptr;
  const auto known = classes_.find(cell::encode(class_of(spec), {}));
  if (known == classes_.end()) return nullptr;
  auto& cells = known->second.cells;
  // The one that was parked last: what it touched is still in the processor's caches.
  const auto ready = std::ranges::find_if(cells.rbegin(), cells.rend(),
                                          [](const auto& cell) { return cell->is_parked(); });
  if (ready == cells.rend()) {
    const Nest* const nest = nest_of(known->second.spec);
    if (nest == nullptr || nest->now == nullptr) return nullptr;
    auto made = make(known->second.spec);
    return made ? *std::move(made) : nullptr;
  }
  std::unique_ptr<CellRun> cell = std::move(*ready);
  cells.erase(std::next(ready).base());
  return cell;
}

// Landlock is what keeps the cells of one zygote from meeting at files they have in common, such as
// /proc/self/exe; and only root of the host makes the uids and device nodes that they need. A cell
// without some wall would have its zygote's in place of the host's there.
Pool::Nest* Pool::nest_of(const cell::CellSpec& spec) {
  if (spec.interpreter.empty() || spec.interpreter_kind != InterpreterKind::kCpython ||
      host_.privilege != cell::Privilege::kRoot || host_.landlock_abi < 1 ||
      !spec.without.empty()) {
    return nullptr;
  }
  cell::CellSpec own;
  own.interpreter = spec.interpreter;
  own.preload = spec.preload;
  own.interpreter_env = spec.interpreter_env;
  own.mounts = spec.mounts;
  Nest& nest = nests_[cell::encode(own, {})];
  tend(nest, spec, sys::now());
  return &nest;
}

// A zygote that is spent goes on until then, and until it has told of the cells that it was asked
// for: without its word they could neither be used nor ended.
void Pool::promote() {
  for (auto& [key, nest] : nests_) {
    const bool free = nest.now == nullptr || !nest.now->is_busy();
    if (free && nest.next != nullptr && nest.next->is_ready()) nest.now = std::move(nest.next);
  }
}

void Pool::tend(Nest& nest, const cell::CellSpec& spec, Nanoseconds now) {
  for (auto* zygote : {&nest.now, &nest.next}) {
    if (*zygote == nullptr || !(*zygote)->has_failed()) continue;
    zygote->reset();
    nest.retry = now + kZygoteRetry;
  }
  const bool wanted = nest.now == nullptr || nest.now->is_spent();
  if (!wanted || nest.next != nullptr || nest.retry > now) return;
  Result<std::unique_ptr<Zygote>> started = [&]() -> Result<std::unique_ptr<Zygote>> {
    TRY_ASSIGN(auto share, maker_.make_share());
    return Zygote::start(host_, std::move(share), spec);
  }();
  if (started) {
    nest.next = *std::move(started);
  } else {
    nest.retry = now + kZygoteRetry;
  }
}

Result<std::unique_ptr<CellRun>> Pool::make(const cell::CellSpec& spec) {
  if (const Nest* const nest = nest_of(spec); nest != nullptr && nest->now != nullptr) {
    TRY_ASSIGN(CellResources resources, maker_.make(*nest->now, spec.loopback));
    return CellRun::order(*nest->now, host_, spec, std::move(resources));
  }
  TRY_ASSIGN(CellResources resources, maker_.make());
  TRY(maker_.fit(resources.net, spec.loopback));
  return CellRun::park(host_, spec, std::move(resources));
}

unsigned Pool::share() const {
  const auto wanted =
      std::ranges::count_if(classes_, [](const auto& entry) { return entry.second.is_wanted(); });
  const auto classes = std::clamp<std::size_t>(static_cast<std::size_t>(wanted), 1, size_);
  return std::max(1U, size_ / static_cast<unsigned>(classes));
}

bool Pool::is_building() const {
  return std::ranges::any_of(classes_, [](const auto& entry) {
    const auto& cells = entry.second.cells;
    return !cells.empty() && !cells.back()->is_parked() && !cells.back()->is_empty();
  });
}

bool Pool::memory_is_scarce() {
  const Nanoseconds now = sys::now();
  if (now - memory_looked_ >= kMemoryLook) {
    memory_looked_ = now;
    scarce_ = is_memory_scarce_now();
  }
  return scarce_;
}

bool Pool::wants_more() {
  return size_ > 0 && next_to_fill(true) != nullptr && !memory_is_scarce();
}

// The class that is to have one more cell, if that can be had now.
Pool::Class* Pool::next_to_fill(bool quiet) {
  const Nanoseconds now = sys::now();
  Class* next = nullptr;
  for (auto& [key, kind] : classes_) {
    // To rehearse takes longer than a cold start would: that is for moments that nobody else needs.
    const bool rehearses = kind.spec.interpreter_kind == InterpreterKind::kJavac;
    const std::size_t enough = quiet ? share() : rehearses ? 0 : (share() + 1) / 2;
    if (!kind.is_wanted() || kind.cells.size() >= enough || kind.retry > now) continue;
    // A cell without the interpreter would only be in the way of those with it.
    const Nest* const nest = nest_of(kind.spec);
    if (nest != nullptr && nest->now == nullptr && nest->next != nullptr) continue;
    if (next == nullptr || kind.used > next->used) next = &kind;
  }
  return next;
}

void Pool::fill(bool quiet) {
  if (size_ == 0 || is_building()) return;
  Class* const next = next_to_fill(quiet);
  if (next == nullptr || memory_is_scarce()) return;
  Result<std::unique_ptr<CellRun>> cell = make(next->spec);
  if (cell) {
    next->cells.push_back(*std::move(cell));
  } else {
    // Reported when a run needs one.
    next->retry = sys::now() + kRetry;
  }
}

std::vector<std::unique_ptr<CellRun>> Pool::sort_out(Nanoseconds now) {
  std::vector<std::unique_ptr<CellRun>> going;
  const bool scarce = size_ > 0 && !classes_.empty() && memory_is_scarce();
  for (auto at = classes_.begin(); at != classes_.end();) {
    Class& kind = at->second;
    const auto newer = std::ranges::count_if(
        classes_, [&kind](const auto& entry) { return entry.second.used > kind.used; });
    const bool old =
        now - kind.used > kClassLife || newer >= static_cast<std::ptrdiff_t>(kMaxClasses);
    std::erase_if(kind.cells, [&](std::unique_ptr<CellRun>& cell) {
      const bool failed = cell->is_empty();
      if (failed) kind.retry = now + kRetry;
      const bool stale = cell->is_parked() && now - cell->parked_since() > kCellLife;
      if (!failed && !stale && !old && !scarce) return false;
      cell->discard();
      going.push_back(std::move(cell));
      return true;
    });
    at = old ? classes_.erase(at) : std::next(at);
  }
  // What a zygote has imported is memory that is held for as long as it lives.
  std::erase_if(nests_, [now](const auto& entry) {
    const Nest& nest = entry.second;
    const bool busy = nest.now != nullptr && nest.now->is_busy();
    return !nest.stays && !busy && now - nest.used > kClassLife;
  });
  return going;
}

std::vector<std::unique_ptr<CellRun>> Pool::drain() {
  std::vector<std::unique_ptr<CellRun>> going;
  for (auto& [key, kind] : classes_) {
    for (std::unique_ptr<CellRun>& cell : kind.cells) {
      cell->discard();
      going.push_back(std::move(cell));
    }
  }
  classes_.clear();
  // The zygotes stay until the server ends: a cell that was ordered is known, and can be ended,
  // only when they have told of its birth.
  size_ = 0;
  return going;
}

}  // namespace belljar::warden
