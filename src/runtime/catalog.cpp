#include "runtime/catalog.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/sys.h"
#include "base/text.h"

namespace belljar::runtime {
namespace {

namespace fs = std::filesystem;

struct BuiltIn {
  std::span<const std::string_view> words;  // the name, then the aliases
  std::span<const std::string_view> extensions;
  std::string_view toml;

  [[nodiscard]] std::string_view name() const { return words.front(); }
};

// Written by tools/embed_runtimes.cpp: kBuiltIns, sorted by name.
#include "generated/runtimes.inc"

// Each is parsed when it is first asked for.
Manifest parse(const BuiltIn& built_in) {
  static std::mutex mutex;
  static std::map<std::string_view, Manifest> parsed;
  const std::lock_guard lock(mutex);
  const auto known = parsed.find(built_in.name());
  if (known != parsed.end()) return known->second;
  Result<Manifest> manifest = parse_manifest(built_in.toml);
  CHECK(manifest.has_value());  // the generator has parsed the same bytes
  return parsed.emplace(built_in.name(), *std::move(manifest)).first->second;
}

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::ranges::find(list, word) != std::ranges::end(list);
}

// The first word or extension that both have, or empty.
std::string_view shared(const Manifest& one, const Manifest& other) {
  for (const std::string& word : one.aliases) {
    if (word == other.name || contains(other.aliases, word)) return word;
  }
  if (one.name == other.name || contains(other.aliases, one.name)) return one.name;
  for (const std::string& extension : one.extensions) {
    if (contains(other.extensions, extension)) return extension;
  }
  return {};
}

Result<Manifest> read_manifest(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return fail(Code::kUnavailable, "cannot be read");
  return parse_manifest(text);
}

std::string joined(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

}  // namespace

Status Catalog::add(Manifest manifest) {
  for (const auto& [name, known] : added_) {
    if (const std::string_view both = shared(manifest, known); !both.empty()) {
      return fail(Code::kInvalid, quote(both) + " is already the runtime " + name + "'s");
    }
  }
  std::string name = manifest.name;
  added_.emplace(std::move(name), std::move(manifest));
  return {};
}

Result<Catalog> Catalog::open(const std::string& directory, Toolchains toolchains) {
  Catalog catalog;
  catalog.where_ = toolchains;
  if (directory.empty()) return catalog;
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".toml") files.push_back(at->path());
  }
  if (error) return fail_errno(directory, error.value());
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    Result<Manifest> manifest = read_manifest(file);
    if (!manifest) return std::unexpected(manifest.error().context(file.string()));
    const Status added = catalog.add(*std::move(manifest));
    if (!added) return std::unexpected(added.error().context(file.string()));
  }
  return catalog;
}

Result<Manifest> Catalog::by_name(std::string_view name) const {
  // A name is stronger than an alias, and the operator's runtime than a built-in one.
  if (const auto found = added_.find(name); found != added_.end()) return found->second;
  for (const BuiltIn& built_in : kBuiltIns) {
    if (built_in.name() == name) return parse(built_in);
  }
  for (const auto& [_, manifest] : added_) {
    if (contains(manifest.aliases, name)) return manifest;
  }
  for (const BuiltIn& built_in : kBuiltIns) {
    if (contains(built_in.words, name) && !added_.contains(built_in.name())) return parse(built_in);
  }
  return fail(Code::kNotFound,
              "no language is called " + quote(name) + "; there are " + joined(names()));
}

Result<Manifest> Catalog::by_file(std::string_view path) const {
  const std::string_view extension = extension_of(path);
  if (extension.empty()) {
    return fail(Code::kNotFound, quote(path) + " has no extension to tell its language by");
  }
  for (const auto& [_, manifest] : added_) {
    if (contains(manifest.extensions, extension)) return manifest;
  }
  for (const BuiltIn& built_in : kBuiltIns) {
    if (contains(built_in.extensions, extension) && !added_.contains(built_in.name())) {
      return parse(built_in);
    }
  }
  return fail(Code::kNotFound, "no language has files ending in " + quote(extension));
}

Result<Toolchain> Catalog::toolchain(const Manifest& manifest) const {
  if (where_ == Toolchains::kElsewhere) return assume(manifest);
  return toolchains_->detect(manifest, sys::now());
}

std::vector<std::string> Catalog::names() const {
  std::set<std::string> names;
  for (const BuiltIn& built_in : kBuiltIns) names.emplace(built_in.name());
  for (const auto& [name, _] : added_) names.insert(name);
  return {names.begin(), names.end()};
}

}  // namespace belljar::runtime
