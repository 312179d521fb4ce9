#include "runtime/manifest.h"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <utility>

#include "base/glob.h"
#include "base/text.h"
#include "runtime/template.h"

#include "base/toml.h"

namespace belljar::runtime {
namespace {

using Strings = std::vector<std::string>;

std::unexpected<Error> wrong(std::string_view key, std::string_view rule) {
  return fail(Code::kInvalid, std::string(key) + ": " + std::string(rule));
}

// A table and how it is called in messages: "compile." for its keys, "" at the top.
struct Section {
  const toml::table* table;
  std::string prefix;

  [[nodiscard]] std::string name(std::string_view key) const { return prefix + std::string(key); }
};

Status check_keys(const Section& section, std::initializer_list<std::string_view> known) {
  for (const auto& [key, node] : *section.table) {
    if (std::ranges::find(known, key.str()) == known.end()) {
      return wrong(section.prefix + quote(key.str()), "unknown key");
    }
  }
  return {};
}

Result<std::string> text_of(const Section& section, std::string_view key) {
  const toml::node* const node = section.table->get(key);
  if (node == nullptr) return wrong(section.name(key), "is missing");
  const auto* const value = node->as_string();
  if (value == nullptr || value->get().empty()) {
    return wrong(section.name(key), "must be a text that is not empty");
  }
  return value->get();
}

Result<Strings> strings_of(const toml::node& node, std::string_view name) {
  constexpr std::string_view kRule = "must be a list of texts that are not empty";
  const toml::array* const array = node.as_array();
  if (array == nullptr) return wrong(name, kRule);
  Strings strings;
  for (const toml::node& item : *array) {
    const auto* const value = item.as_string();
    if (value == nullptr || value->get().empty()) return wrong(name, kRule);
    strings.push_back(value->get());
  }
  return strings;
}

// A list that may be left out.
Result<Strings> list_of(const Section& section, std::string_view key) {
  const toml::node* const node = section.table->get(key);
  if (node == nullptr) return Strings{};
  return strings_of(*node, section.name(key));
}

Result<Strings> required_list_of(const Section& section, std::string_view key) {
  TRY_ASSIGN(Strings list, list_of(section, key));
  if (list.empty()) return wrong(section.name(key), "must name at least one");
  return list;
}

Result<Section> section_of(const Section& parent, std::string_view key) {
  const toml::node* const node = parent.table->get(key);
  if (node == nullptr) return wrong(parent.name(key), "is missing");
  if (!node->is_table()) return wrong(parent.name(key), "must be a table");
  return Section{.table = node->as_table(), .prefix = parent.name(key) + "."};
}

// "/usr/bin/x": absolute and written in the one shortest way.
bool is_plain_absolute(std::string_view path) {
  if (!path.starts_with('/') || path.size() < 2) return false;
  std::string_view rest = path;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view component = rest.substr(0, rest.find('/'));
    if (component.empty() || component == "." || component == "..") return false;
    rest.remove_prefix(component.size());
  }
  return true;
}

bool is_within(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

// The words of --language: "c++", "python3".
bool is_word(std::string_view word) {
  return !word.empty() && word.front() != '-' && std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '#' || c == '-';
  });
}

bool is_extension(std::string_view text) {
  return text.size() > 1 && text.front() == '.' && std::ranges::all_of(text.substr(1), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '+';
         });
}

Status check_distinct(const Strings& list, std::string_view key) {
  std::set<std::string_view> seen;
  for (const std::string& item : list) {
    if (!seen.insert(item).second) return wrong(key, quote(item) + " stands twice");
  }
  return {};
}

Status check_mounts(const Strings& mounts) {
  for (const std::string& mount : mounts) {
    if (!is_plain_absolute(mount)) return wrong("mounts", quote(mount) + " must be absolute");
    // What a cell has of its own, or must never see whole.
    for (const std::string_view own : {"/box", "/tmp", "/dev", "/proc", "/sys"}) {
      if (is_within(mount, own)) return wrong("mounts", quote(mount) + " is the cell's own");
    }
    const std::size_t slash = mount.rfind('/');
    if (slash == 0 && (mount == "/etc" || mount.find_first_of("*?") != mount.npos)) {
      return wrong("mounts", quote(mount) + " would show too much of the host");
    }
    if (mount.find_first_of("*?") < slash) {
      return wrong("mounts", quote(mount) + " may have a pattern in its last component only");
    }
    if (mount.size() > kMaxGlobLength) return wrong("mounts", quote(mount) + " is too long");
  }
  return {};
}

Result<std::vector<Program>> parse_programs(const Section& top) {
  TRY_ASSIGN(const Section section, section_of(top, "programs"));
  std::vector<Program> programs;
  for (const auto& [key, node] : *section.table) {
    TRY_ASSIGN(Strings candidates, required_list_of(section, key.str()));
    for (const std::string& candidate : candidates) {
      if (!is_plain_absolute(candidate)) {
        return wrong(section.name(key.str()), quote(candidate) + " must be an absolute path");
      }
    }
    Program program{.name = std::string(key.str()), .candidates = std::move(candidates)};
    // TOML's tables have no order, so the first program is the one of that name.
    const bool first = program.name == "tool";
    programs.insert(first ? programs.begin() : programs.end(), std::move(program));
  }
  if (programs.empty() || programs.front().name != "tool") {
    return wrong("programs.tool", "is missing");
  }
  return programs;
}

enum class Where : std::uint8_t { kVersion, kPrecompile, kCompile, kRun };

bool may_use(Where where, Slot slot) {
  switch (slot) {
    case Slot::kText:
    case Slot::kTool:
      return true;
    case Slot::kArgs:
      return where == Where::kRun;
    case Slot::kLinker:
      return where == Where::kCompile;
    case Slot::kHeader:
    case Slot::kOutput:
      return where == Where::kPrecompile;
    default:
      return where == Where::kCompile || where == Where::kRun;
  }
}

Status check_argument(const std::string& argument,
                      std::string_view key,
                      Where where,
                      const std::vector<Program>& programs) {
  const auto pieces = parse_template(argument);
  if (!pieces) return std::unexpected(pieces.error().context(key));
  for (const Piece& piece : *pieces) {
    if (!may_use(where, piece.slot)) {
      return wrong(key, "template " + quote(argument) + " has no meaning here");
    }
    if (piece.slot == Slot::kTool &&
        std::ranges::find(programs, piece.text, &Program::name) == programs.end()) {
      return wrong(key, quote(argument) + " is not one of the programs");
    }
  }
  return {};
}

Status check_argv(const Strings& argv,
                  std::string_view key,
                  Where where,
                  const std::vector<Program>& programs) {
  for (const std::string& argument : argv) {
    TRY(check_argument(argument, key, where, programs));
  }
  const std::string& program = argv.front();
  const bool is_tool = program == "{tool}" ||
                       (program.starts_with("{tool:") && program.find('}') == program.size() - 1);
  if (!is_tool && !is_plain_absolute(program)) {
    return wrong(key, "the first must be {tool}, {tool:NAME} or an absolute path");
  }
  if (where == Where::kRun &&
      (argv.back() != "{args}" || std::ranges::count(argv, "{args}") != 1)) {
    return wrong(key, "must end with {args}");
  }
  return {};
}

Status check_env(const Strings& env, std::string_view key) {
  std::set<std::string_view> names;
  for (const std::string& entry : env) {
    const std::size_t equals = entry.find('=');
    if (equals == 0 || equals == entry.npos) return wrong(key, quote(entry) + " is not NAME=value");
    if (!names.insert(std::string_view(entry).substr(0, equals)).second) {
      return wrong(key, quote(entry) + " sets a name again");
    }
  }
  return {};
}

Status check_keep(const Strings& keep, std::string_view key) {
  for (const std::string& glob : keep) {
    if (glob.front() == '/' || glob.size() > kMaxGlobLength) {
      return wrong(key, quote(glob) + " must be a short pattern relative to /box");
    }
  }
  return {};
}

Result<LimitOverrides> parse_limit_table(const Section& step) {
  LimitOverrides limits;
  if (step.table->get("limits") == nullptr) return limits;
  TRY_ASSIGN(const Section section, section_of(step, "limits"));
  for (const auto& [key, node] : *section.table) {
    const std::string name(key.str());
    std::string value;
    if (const auto* const text = node.as_string()) {
      value = text->get();
    } else if (const auto* const number = node.as_integer()) {
      value = std::to_string(number->get());
    } else {
      return wrong(section.name(name), "must be a text such as \"128M\" or a whole number");
    }
    const Status set = set_limit(limits, name, value);
    if (!set) return std::unexpected(set.error().context(step.name("limits")));
  }
  return limits;
}

Result<std::optional<Warm>> parse_warm(const Section& step) {
  if (step.table->get("warm") == nullptr) return std::nullopt;
  TRY_ASSIGN(const Section section, section_of(step, "warm"));
  TRY(check_keys(section, {"kind", "light", "preload", "preload_when_named"}));
  constexpr std::array<std::pair<std::string_view, InterpreterKind>, 4> kKinds{
      {{"cpython", InterpreterKind::kCpython},
       {"node", InterpreterKind::kNode},
       {"java", InterpreterKind::kJava},
       {"javac", InterpreterKind::kJavac}}};
  TRY_ASSIGN(const std::string kind, text_of(section, "kind"));
  const auto* const known =
      std::ranges::find(kKinds, kind, &std::pair<std::string_view, InterpreterKind>::first);
  if (known == kKinds.end()) {
    return wrong(section.name("kind"), "must be one of cpython, node, java, javac");
  }
  Warm warm{.kind = known->second, .preload = {}, .light = {}, .preload_when_named = {}};
  TRY_ASSIGN(warm.preload, list_of(section, "preload"));
  TRY_ASSIGN(warm.light, list_of(section, "light"));
  TRY_ASSIGN(warm.preload_when_named, list_of(section, "preload_when_named"));
  for (const auto& [key, list] :
       {std::pair{"preload", &warm.preload}, std::pair{"light", &warm.light},
        std::pair{"preload_when_named", &warm.preload_when_named}}) {
    if (warm.kind != InterpreterKind::kCpython && !list->empty()) {
      return wrong(section.name(key), "is for cpython");
    }
  }
  if (warm.preload.size() + warm.light.size() + warm.preload_when_named.size() > kMaxPreload) {
    return wrong(section.name("preload"), "has over " + std::to_string(kMaxPreload) +
                                              " modules, those of the other lists counted");
  }
  return warm;
}

// What both stages have.
Result<Step> parse_step(const Section& section, Where where, const std::vector<Program>& programs) {
  Step step;
  TRY_ASSIGN(step.argv, required_list_of(section, "argv"));
  TRY(check_argv(step.argv, section.name("argv"), where, programs));
  TRY_ASSIGN(step.env, list_of(section, "env"));
  TRY(check_env(step.env, section.name("env")));
  TRY_ASSIGN(step.warm, parse_warm(section));
  TRY_ASSIGN(step.limits, parse_limit_table(section));
  return step;
}

// A list, because a table of TOML has no order.
Result<std::vector<Linker>> parse_linkers(const Section& compile) {
  std::vector<Linker> linkers;
  const toml::node* const node = compile.table->get("linkers");
  if (node == nullptr) return linkers;
  const std::string name = compile.name("linkers");
  const toml::array* const array = node->as_array();
  if (array == nullptr) return wrong(name, "must be a list of tables");
  for (const toml::node& item : *array) {
    const Section section{.table = item.as_table(), .prefix = name + "."};
    if (section.table == nullptr) return wrong(name, "must be a list of tables");
    TRY(check_keys(section, {"program", "argument"}));
    Linker linker;
    TRY_ASSIGN(linker.program, text_of(section, "program"));
    TRY_ASSIGN(linker.argument, text_of(section, "argument"));
    if (!is_plain_absolute(linker.program)) {
      return wrong(section.name("program"), quote(linker.program) + " must be an absolute path");
    }
    linkers.push_back(std::move(linker));
  }
  return linkers;
}

// "bits/stdc++.h": a path below a folder of headers.
bool is_header(std::string_view name) {
  return is_plain_absolute("/" + std::string(name)) && !name.starts_with('/') &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c != '>' && c != 0x7f; });
}

Result<Precompile> parse_precompile(const Section& top, const std::vector<Program>& programs) {
  TRY_ASSIGN(const Section section, section_of(top, "precompile"));
  TRY(check_keys(section, {"headers", "list", "argv", "limits"}));
  Precompile precompile;
  TRY_ASSIGN(precompile.headers, required_list_of(section, "headers"));
  TRY(check_distinct(precompile.headers, section.name("headers")));
  for (const std::string& header : precompile.headers) {
    if (!is_header(header)) {
      return wrong(section.name("headers"), quote(header) + " must be a header's name");
    }
  }
  TRY_ASSIGN(precompile.list, required_list_of(section, "list"));
  TRY(check_argv(precompile.list, section.name("list"), Where::kPrecompile, programs));
  TRY_ASSIGN(precompile.argv, required_list_of(section, "argv"));
  TRY(check_argv(precompile.argv, section.name("argv"), Where::kPrecompile, programs));
  TRY_ASSIGN(precompile.limits, parse_limit_table(section));
  return precompile;
}

Result<Step> parse_compile(const Section& top, const std::vector<Program>& programs) {
  TRY_ASSIGN(const Section section, section_of(top, "compile"));
  TRY(check_keys(section, {"argv", "env", "keep", "linkers", "limits", "warm"}));
  TRY_ASSIGN(Step step, parse_step(section, Where::kCompile, programs));
  TRY_ASSIGN(step.keep, required_list_of(section, "keep"));
  TRY(check_keep(step.keep, section.name("keep")));
  TRY_ASSIGN(step.linkers, parse_linkers(section));
  return step;
}

Result<Step> parse_run(const Section& top, const std::vector<Program>& programs) {
  TRY_ASSIGN(const Section section, section_of(top, "run"));
  TRY(check_keys(section, {"argv", "env", "limits", "warm"}));
  return parse_step(section, Where::kRun, programs);
}

Result<Hello> parse_hello(const Section& top, const Strings& extensions) {
  TRY_ASSIGN(const Section section, section_of(top, "hello"));
  TRY(check_keys(section, {"file", "source"}));
  Hello hello;
  TRY_ASSIGN(hello.file, text_of(section, "file"));
  TRY_ASSIGN(hello.source, text_of(section, "source"));
  if (hello.file.find('/') != hello.file.npos ||
      std::ranges::find(extensions, extension_of(hello.file)) == extensions.end()) {
    return wrong("hello.file", "must be a plain name with one of the runtime's extensions");
  }
  return hello;
}

Status parse_names(const Section& top, Manifest& manifest) {
  TRY_ASSIGN(manifest.name, text_of(top, "name"));
  TRY_ASSIGN(manifest.title, text_of(top, "title"));
  TRY_ASSIGN(manifest.aliases, list_of(top, "aliases"));
  if (!is_word(manifest.name)) return wrong("name", "must be of a-z, 0-9, '+', '#' and '-'");
  for (const std::string& alias : manifest.aliases) {
    if (!is_word(alias) || alias == manifest.name) {
      return wrong("aliases", quote(alias) + " must be another word of a-z, 0-9, '+', '#' and '-'");
    }
  }
  TRY(check_distinct(manifest.aliases, "aliases"));
  TRY_ASSIGN(manifest.extensions, required_list_of(top, "extensions"));
  for (const std::string& extension : manifest.extensions) {
    if (!is_extension(extension)) {
      return wrong("extensions", quote(extension) + " must be a dot and letters, digits or '+'");
    }
  }
  TRY(check_distinct(manifest.extensions, "extensions"));
  TRY_ASSIGN(manifest.entries, list_of(top, "entries"));
  return {};
}

}  // namespace

std::string_view extension_of(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  return dot == name.npos || dot == 0 ? std::string_view() : name.substr(dot);
}

Result<Manifest> parse_manifest(std::string_view toml) {
  TRY_ASSIGN(const toml::table file, parse_toml(toml));
  const Section top{.table = &file, .prefix = ""};
  TRY(check_keys(
      top, {"name", "title", "aliases", "extensions", "entries", "package", "version", "mounts",
            "programs", "compile", "precompile", "run", "session", "guard", "hello"}));
  Manifest manifest;
  TRY(parse_names(top, manifest));
  TRY_ASSIGN(manifest.package, text_of(top, "package"));
  TRY_ASSIGN(manifest.programs, parse_programs(top));
  TRY_ASSIGN(manifest.version, required_list_of(top, "version"));
  TRY(check_argv(manifest.version, "version", Where::kVersion, manifest.programs));
  TRY_ASSIGN(manifest.mounts, list_of(top, "mounts"));
  TRY(check_mounts(manifest.mounts));
  if (top.table->get("compile") != nullptr) {
    TRY_ASSIGN(manifest.compile, parse_compile(top, manifest.programs));
  }
  if (top.table->get("precompile") != nullptr) {
    if (!manifest.compile) return wrong("precompile", "is for a runtime that compiles");
    TRY_ASSIGN(manifest.precompile, parse_precompile(top, manifest.programs));
  }
  TRY_ASSIGN(manifest.run, parse_run(top, manifest.programs));
  if (top.table->get("session") != nullptr) {
    TRY_ASSIGN(manifest.session, text_of(top, "session"));
    if (!is_word(manifest.session)) return wrong("session", "must be the name of a session driver");
    if (manifest.compile) return wrong("session", "is for a runtime that does not compile");
  }
  if (top.table->get("guard") != nullptr) {
    TRY_ASSIGN(manifest.guard, text_of(top, "guard"));
    if (!is_word(manifest.guard)) return wrong("guard", "must be the name of a language");
    if (!uses(manifest.run.argv, Slot::kEntry)) return wrong("guard", "needs {entry} in run.argv");
  }
  TRY_ASSIGN(manifest.hello, parse_hello(top, manifest.extensions));
  return manifest;
}

}  // namespace belljar::runtime
