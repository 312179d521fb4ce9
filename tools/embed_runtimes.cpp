// Build-time tool: checks every runtime's manifest and writes them as one C++ include file.
//
// embed_runtimes OUTPUT EXAMPLES MANIFEST…
//
// Beyond what parse_manifest demands: a manifest is called as its file, no two claim the same word
// or extension, and its hello program is byte for byte the file of that name in EXAMPLES.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/manifest.h"

namespace {

namespace fs = std::filesystem;
using belljar::Code;
using belljar::fail;
using belljar::Result;
using belljar::Status;
using belljar::runtime::Manifest;

struct Source {
  std::string toml;
  Manifest manifest;
};

Result<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return fail(Code::kUnavailable, path.string() + " cannot be read");
  return text;
}

Result<Source> load(const fs::path& path, const fs::path& examples) {
  Source source;
  TRY_ASSIGN(source.toml, read_file(path));
  TRY_ASSIGN(source.manifest, belljar::runtime::parse_manifest(source.toml));
  const Manifest& manifest = source.manifest;
  if (manifest.name != path.stem()) {
    return fail(Code::kInvalid, "name: must be that of the file");
  }
  const fs::path example = examples / manifest.hello.file;
  TRY_ASSIGN(const std::string hello, read_file(example));
  if (hello != manifest.hello.source) {
    return fail(Code::kInvalid, "hello.source: differs from " + example.string());
  }
  return source;
}

// Words and extensions cannot be confused: only the latter begin with a dot.
Status claim(std::map<std::string, std::string>& owners, const Manifest& manifest) {
  std::vector<std::string> claims = manifest.aliases;
  claims.push_back(manifest.name);
  claims.insert(claims.end(), manifest.extensions.begin(), manifest.extensions.end());
  for (const std::string& what : claims) {
    const auto [place, fresh] = owners.emplace(what, manifest.name);
    if (!fresh) return fail(Code::kInvalid, what + ": already belongs to " + place->second);
  }
  return {};
}

void write_list(std::ostream& out, const std::string& name, const std::vector<std::string>& list) {
  out << "constexpr std::string_view " << name << "[] = {";
  for (const std::string& item : list) out << '"' << item << "\", ";
  out << "};\n";
}

std::string generate(const std::vector<Source>& sources) {
  std::ostringstream out;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Manifest& manifest = sources[i].manifest;
    std::vector<std::string> words = manifest.aliases;
    words.insert(words.begin(), manifest.name);
    write_list(out, "kWords" + std::to_string(i), words);
    write_list(out, "kExtensions" + std::to_string(i), manifest.extensions);
  }
  out << "constexpr BuiltIn kBuiltIns[] = {\n";
  for (std::size_t i = 0; i < sources.size(); ++i) {
    out << "{.words = kWords" << i << ", .extensions = kExtensions" << i << ", .toml = R\"toml("
        << sources[i].toml << ")toml\"},\n";
  }
  out << "};\n";
  return std::move(out).str();
}

Result<std::string> embed(const fs::path& examples, std::vector<fs::path> paths) {
  std::ranges::sort(paths, {}, [](const fs::path& path) { return path.stem(); });
  std::vector<Source> sources;
  std::map<std::string, std::string> owners;
  for (const fs::path& path : paths) {
    Result<Source> source = load(path, examples);
    if (!source) return std::unexpected(source.error().context(path.string()));
    const Status claimed = claim(owners, source->manifest);
    if (!claimed) return std::unexpected(claimed.error().context(path.string()));
    sources.push_back(*std::move(source));
  }
  return generate(sources);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3) {
    std::cerr << "usage: embed_runtimes OUTPUT EXAMPLES MANIFEST...\n";
    return 2;
  }
  const Result<std::string> text = embed(arguments[1], {arguments.begin() + 2, arguments.end()});
  if (!text) {
    std::cerr << text.error().message << '\n';
    return 1;
  }
  std::ofstream out(arguments[0], std::ios::binary);
  out << *text << std::flush;
  return out ? 0 : 1;
}
