// `belljar languages`: the catalogue of runtimes against this host.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <vector>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/invocation.h"
#include "base/text.h"
#include "model/json_text.h"
#include "runtime/catalog.h"
#include "runtime/toolchain.h"

namespace belljar::app {
namespace {

struct Language {
  runtime::Manifest manifest;
  Result<runtime::Toolchain> toolchain;
};

Result<std::vector<Language>> look_around(const std::string& directory) {
  TRY_ASSIGN(const runtime::Catalog catalog, runtime::Catalog::open(directory));
  std::vector<Language> languages;
  for (const std::string& name : catalog.names()) {
    TRY_ASSIGN(runtime::Manifest manifest, catalog.by_name(name));
    auto toolchain = runtime::detect(manifest);
    languages.push_back({std::move(manifest), std::move(toolchain)});
  }
  return languages;
}

std::string found_text(const Language& language) {
  if (!language.toolchain) return "missing: " + language.toolchain.error().message;
  const auto& programs = language.toolchain->programs;
  const auto& first = language.manifest.programs.front().name;
  const auto found = programs.find(first);
  return found == programs.end() ? "" : found->second;
}

std::string extensions_text(const runtime::Manifest& manifest) {
  return fmt::format("{}", fmt::join(manifest.extensions, " "));
}

std::string table_text(const std::vector<Language>& languages) {
  std::size_t name = 4;
  std::size_t title = 5;
  std::size_t extensions = 5;
  for (const Language& language : languages) {
    name = std::max(name, language.manifest.name.size());
    title = std::max(title, language.manifest.title.size());
    extensions = std::max(extensions, extensions_text(language.manifest).size());
  }
  std::string text = fmt::format("{:<{}}  {:<{}}  {:<{}}  {}\n", "name", name, "title", title,
                                 "files", extensions, "toolchain");
  for (const Language& language : languages) {
    text += fmt::format("{:<{}}  {:<{}}  {:<{}}  {}\n", language.manifest.name, name,
                        language.manifest.title, title, extensions_text(language.manifest),
                        extensions, found_text(language));
  }
  return escape_for_terminal(text);
}

boost::json::array texts(const std::vector<std::string>& words) {
  return boost::json::array(words.begin(), words.end());
}

std::string json_text(const std::vector<Language>& languages) {
  boost::json::array all;
  for (const Language& language : languages) {
    boost::json::object programs;
    if (language.toolchain)
      for (const auto& [name, path] : language.toolchain->programs) programs[name] = path;
    const runtime::Manifest& manifest = language.manifest;
    boost::json::object row = {
        {"name", manifest.name},
        {"title", manifest.title},
        {"aliases", texts(manifest.aliases)},
        {"extensions", texts(manifest.extensions)},
        {"compiled", manifest.compile.has_value()},
        {"available", language.toolchain.has_value()},
        {"programs", std::move(programs)},
        {"package", manifest.package},
    };
    if (!language.toolchain) row["missing"] = language.toolchain.error().message;
    all.push_back(std::move(row));
  }
  return escape_json_for_terminal(belljar::json_text(all)) + "\n";
}

}  // namespace

Result<int> languages_command(Invocation& invocation) {
  const std::string directory(invocation.arguments.value("runtimes").value_or(""));
  TRY_ASSIGN(const std::vector<Language> languages, look_around(directory));
  const bool json = invocation.arguments.has("json");
  TRY(write_patiently(STDOUT_FILENO, json ? json_text(languages) : table_text(languages)));
  return kExitOk;
}

}  // namespace belljar::app
