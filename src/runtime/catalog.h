// Catalog: every runtime this installation knows, the operator's before the built-in ones.
//
// Built-in manifests are compiled in (their text is embedded at build time together with an index
// of names and extensions, so that only the manifest in use is parsed). A directory of the
// operator's may add runtimes or replace built-in ones by name.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/manifest.h"
#include "runtime/toolchain.h"

namespace belljar::runtime {

// Where programs are run.
enum class Toolchains : std::uint8_t {
  kHere,
  kElsewhere,  // what is there is not known: each is taken to be where its manifest looks first
};

class Catalog {
 public:
  // Reads the *.toml files of `directory`, which may be empty: the built-in runtimes only. A file
  // that does not parse, or claims a name or extension that another file there has, is an error
  // that names the file.
  static Result<Catalog> open(const std::string& directory,
                              Toolchains toolchains = Toolchains::kHere);

  // By name or alias, exact. kNotFound lists the names that are there.
  [[nodiscard]] Result<Manifest> by_name(std::string_view name) const;
  // By the file's extension, case-sensitive. kNotFound names the extension.
  [[nodiscard]] Result<Manifest> by_file(std::string_view path) const;
  [[nodiscard]] std::vector<std::string> names() const;  // sorted
  // Where the programs of one of these are; what was found is not looked for again for a second.
  [[nodiscard]] Result<Toolchain> toolchain(const Manifest& manifest) const;

 private:
  Status add(Manifest manifest);

  std::map<std::string, Manifest, std::less<>> added_;
  Toolchains where_ = Toolchains::kHere;
  std::unique_ptr<ToolchainCache> toolchains_ = std::make_unique<ToolchainCache>();
};

}  // namespace belljar::runtime
