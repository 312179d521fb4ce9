// CompileCache: what compile stages made, for the tenant whose submission made it and for exactly
// the input that made it. In memory only: it ends with the process, and no file of it can be
// forged.
//
// Every member may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "model/outcome.h"
#include "model/submission.h"
#include "runtime/toolchain.h"

namespace belljar::engine {

// What a compile stage brought, as far as the next stage and the outcome need it.
struct Compiled {
  StageOutcome stage;
  std::vector<File> files;
};

struct CompileKey {
  std::string tenant;
  Digest input{};

  auto operator<=>(const CompileKey&) const = default;
};

// Everything that decides what comes out of a compile cell, and under which word it is judged.
// `spec` are the bytes that the warden would get: argv, environment, limits, walls, mounts, files
// with their names and modes.
struct CompileInput {
  std::string_view tenant;
  std::string_view spec;
  const Policy& policy;
  const runtime::Toolchain& toolchain;
  std::string_view version;  // the toolchain's own answer
  const HostFacts& host;
};
CompileKey compile_key(const CompileInput& input);

// Whether another compile of the same input would have come to the same: never what a clock or a
// limit had a part in, and never a source that asks what time it is.
bool may_keep(const Compiled& compiled, const std::vector<File>& sources);

class CompileCache {
 public:
  using OnLookup = std::function<void(bool hit)>;
  // At most `capacity` bytes in all.
  CompileCache(std::uint64_t capacity, OnLookup on_lookup)
      : capacity_(capacity), on_lookup_(std::move(on_lookup)) {}

  // Nothing where this key has not been kept, or not been used for so long that it had to go.
  std::shared_ptr<const Compiled> find(const CompileKey& key);
  // Whoever holds the most gives way first, with what it has used least lately: a tenant can fill
  // what is free, and cannot drive out what another one uses.
  void keep(const CompileKey& key, Compiled compiled);
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  struct Entry {
    Digest input;
    std::shared_ptr<const Compiled> compiled;
    std::uint64_t bytes = 0;
  };
  struct Tenant {
    std::list<Entry> entries;  // the latest used first
    std::map<Digest, std::list<Entry>::iterator> by_input;
    std::uint64_t bytes = 0;
  };
  void drop_one();

  const std::uint64_t capacity_;
  const OnLookup on_lookup_;
  mutable std::mutex mutex_;
  std::map<std::string, Tenant, std::less<>> tenants_;
  std::uint64_t bytes_ = 0;
};

}  // namespace belljar::engine
