#include "engine/compile_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/wire.h"
#include "engine/toolchain_version.h"

namespace belljar::engine {
namespace {

// Bookkeeping of an entry, roughly.
constexpr std::uint64_t kOverhead = 1024;

// What changes when programs or libraries of the host are installed, the toolchain's own aside: a
// compiler is more files than the one that is executed.
constexpr std::array kSigns{"/etc/ld.so.cache", "/var/lib/dpkg/status", "/usr/include", "/usr/lib"};

std::uint64_t size_of(const Compiled& compiled) {
  std::uint64_t bytes = kOverhead + compiled.stage.out.data.size() + compiled.stage.err.data.size();
  for (const File& file : compiled.files) bytes += kOverhead + file.content.size();
  return bytes;
}

}  // namespace

CompileKey compile_key(const CompileInput& input) {
  WireWriter rest;
  rest.put(input.policy.on_output_limit);
  rest.put_text(input.policy.name);
  rest.put_text(input.version);
  rest.put_text(input.host.kernel);
  rest.put_text(input.host.cgroup_mode);
  rest.put(input.host.landlock_abi);
  rest.put(input.host.rootless);
  for (const auto& [name, path] : input.toolchain.programs) {
    rest.put_text(name);
    rest.put_text(path);
    rest.put_text(file_stamp(path));
  }
  for (const char* const sign : kSigns) rest.put_text(file_stamp(sign));
  const std::array<std::string_view, 3> texts{input.tenant, input.spec, rest.bytes()};
  return {.tenant = std::string(input.tenant), .input = digest(texts)};
}

bool may_keep(const Compiled& compiled, const std::vector<File>& sources) {
  const StageOutcome& stage = compiled.stage;
  if (stage.status != RunStatus::kOk && stage.status != RunStatus::kCompileError) return false;
  // A compiler that could not fork, or had no room, fails with an exit code like any other.
  if (stage.events.process_limit_hits > 0 || stage.events.disk_full || stage.usage.oom_kills > 0 ||
      stage.signal || stage.out.truncated || stage.err.truncated) {
    return false;
  }
  constexpr std::array<std::string_view, 3> kMoments{"__TIME__", "__DATE__", "__TIMESTAMP__"};
  return std::ranges::none_of(sources, [&](const File& file) {
    return std::ranges::any_of(kMoments, [&](std::string_view word) {
      return file.content.find(word) != std::string::npos;
    });
  });
}

std::shared_ptr<const Compiled> CompileCache::find(const CompileKey& key) {
  std::shared_ptr<const Compiled> found;
  {
    const std::lock_guard lock(mutex_);
    if (const auto tenant = tenants_.find(key.tenant); tenant != tenants_.end()) {
      Tenant& of = tenant->second;
      if (const auto at = of.by_input.find(key.input); at != of.by_input.end()) {
        of.entries.splice(of.entries.begin(), of.entries, at->second);
        found = at->second->compiled;
      }
    }
  }
  on_lookup_(found != nullptr);
  return found;
}

void CompileCache::keep(const CompileKey& key, Compiled compiled) {
  const std::uint64_t size = size_of(compiled);
  // One that would drive out most of the others is not worth it.
  if (size > capacity_ / 4) return;
  const auto entry = std::make_shared<const Compiled>(std::move(compiled));
  const std::lock_guard lock(mutex_);
  Tenant& tenant = tenants_[key.tenant];
  // Two that compiled the same at once: the first stays.
  if (tenant.by_input.contains(key.input)) return;
  tenant.entries.push_front({.input = key.input, .compiled = entry, .bytes = size});
  tenant.by_input.emplace(key.input, tenant.entries.begin());
  tenant.bytes += size;
  bytes_ += size;
  while (bytes_ > capacity_) drop_one();
}

void CompileCache::drop_one() {
  const auto most =
      std::ranges::max_element(tenants_, {}, [](const auto& each) { return each.second.bytes; });
  Tenant& tenant = most->second;
  const Entry& last = tenant.entries.back();
  tenant.bytes -= last.bytes;
  bytes_ -= last.bytes;
  tenant.by_input.erase(last.input);
  tenant.entries.pop_back();
  if (tenant.entries.empty()) tenants_.erase(most);
}

std::uint64_t CompileCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace belljar::engine
