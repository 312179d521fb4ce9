// Manifest: one language's toolchain as data, read from runtimes/NAME.toml.
//
// Templates in argv, also inside a longer argument such as "-Xmx{memory_mb}m":
//   {tool}, {tool:NAME}  the first program, a program by name, as found on this host
//   {entry}              the submission's entry file, absolute
//   {stem}               the entry without its extension, relative to /box; an argument that would
//                        begin with '-' or '@' because of it is refused
//   {dir}                the entry's directory as "." or "./a/b"
//   {sources}            every file whose extension belongs to the runtime, absolute, one argument
//                        each
//   {args}               the submission's arguments, one argument each
//   {memory_mb}          the stage's memory limit in MiB
//   {cpus}               the stage's share of the processors, rounded up to whole ones
//   {linker}             the argument of the first of compile.linkers that is on this host, or none
//   {header}, {output}   of precompile: the file to read, the file to make
// {sources}, {args} and {linker} stand alone. Paths begin with "/box/" or ".", so no file name is
// an option.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/interpreter.h"
#include "model/policy.h"

namespace belljar::runtime {

struct Program {
  std::string name;                     // "tool", "java", …: what {tool:NAME} refers to
  std::vector<std::string> candidates;  // absolute paths, first that is there and executable wins
};

// A linker that a compiler takes besides its own.
struct Linker {
  std::string program;   // absolute
  std::string argument;  // what tells the compiler, "-fuse-ld=mold"
};

// How a stage can begin with its interpreter up already: the first word of its argv.
struct Warm {
  InterpreterKind kind{};
  std::vector<std::string> preload;  // modules to import ahead, where they are installed
  // A program that imports nothing but these, as far as its text tells, begins with nothing.
  std::vector<std::string> light;
  // Those that come on top of them for programs that import one of them, as far as their text tells
  // (runtime/imports.h): such as would make the process of every other program larger for nothing.
  std::vector<std::string> preload_when_named;
};

struct Step {
  std::vector<std::string> argv;  // argv[0] is an absolute path after expansion
  std::vector<std::string> env;   // "NAME=value", added to the base environment
  std::vector<std::string> keep;  // globs in /box that go to the next stage (compile only)
  std::vector<Linker> linkers;    // fastest first (compile only)
  std::optional<Warm> warm;
  LimitOverrides limits;
};

// Headers that Belljar compiles ahead. A compile stage finds what there is of them beside the
// header, under its name and ".gch"; it must do without them as well.
struct Precompile {
  std::vector<std::string> headers;  // as between < and >
  std::vector<std::string> list;     // argv that prints, as a rule of make, what {header} includes
  std::vector<std::string> argv;     // makes {output} of {header}
  LimitOverrides limits;
};

struct Hello {
  std::string file;
  std::string source;  // prints exactly "Hello from <title>\n"
};

struct Manifest {
  std::string name;                     // "cpp"
  std::string title;                    // "C++"
  std::vector<std::string> aliases;     // other words for --language
  std::vector<std::string> extensions;  // ".cpp"
  std::vector<std::string> entries;     // usual names of the entry file in a many-file submission
  std::vector<Program> programs;        // programs[0] is {tool}
  std::vector<std::string> version;     // argv that prints the version
  std::string package;                  // what brings the toolchain on Debian, names by spaces
  std::vector<std::string> mounts;      // host directories besides /usr, read-only, where they are
                                        // there; the last component may be a base/glob.h pattern
  std::optional<Step> compile;
  std::optional<Precompile> precompile;
  Step run;
  // Which of Belljar's session drivers the interpreter can run, see engine/session_driver.h; empty:
  // there are no sessions of this language.
  std::string session;
  // Whose guards the interpreter can run, see engine/guard.h; empty: no policy guards this
  // language.
  std::string guard;
  Hello hello;
};

// kInvalid names the key. Unknown keys, templates and relative candidates are refused.
Result<Manifest> parse_manifest(std::string_view toml);

// ".py" of "a/b.py"; empty where there is none, as in "Makefile" and ".profile".
std::string_view extension_of(std::string_view path);

}  // namespace belljar::runtime
