#include "runtime/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kWhole = R"(
name = "toy"
title = "Toy"
aliases = ["toys", "t++"]
extensions = [".toy", ".TOY"]
entries = ["main.toy", "src/main.toy"]
package = "toy-compiler toy-runtime"
version = ["{tool}", "--version"]
mounts = ["/etc/toy", "/etc/toy-*"]
[programs]
assembler = ["/usr/bin/toyas"]
tool = ["/usr/bin/toyc", "/usr/local/bin/toyc"]
[compile]
argv = ["{tool}", "--with={tool:assembler}", "{linker}", "-o", "/box/a.out", "{sources}"]
env = ["TOY=1", "EMPTY="]
keep = ["a.out", "lib/**"]
linkers = [ { program = "/usr/bin/ld.toy", argument = "--ld=toy" } ]
limits = { wall = "30s", memory = "512M", processes = 128, cpus = "0.5" }
[precompile]
headers = ["toy/all.h"]
list = ["{tool}", "-M", "{header}"]
argv = ["{tool}", "{header}", "-o", "{output}"]
limits = { memory = "2G" }
[run]
argv = ["/box/a.out", "{args}"]
limits = { output = "2M" }
warm = { kind = "cpython", preload = ["toys"], light = ["air"], preload_when_named = ["large.toys"] }
[hello]
file = "hello.toy"
source = "say Hello from Toy"
)";

std::string with(std::string_view from, std::string_view to) {
  std::string text(kWhole);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Manifest, IsReadWhole) {
  const auto manifest = parse_manifest(kWhole);
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  EXPECT_EQ(manifest->name, "toy");
  EXPECT_EQ(manifest->title, "Toy");
  EXPECT_THAT(manifest->aliases, ElementsAre("toys", "t++"));
  EXPECT_THAT(manifest->extensions, ElementsAre(".toy", ".TOY"));
  EXPECT_THAT(manifest->entries, ElementsAre("main.toy", "src/main.toy"));
  EXPECT_EQ(manifest->package, "toy-compiler toy-runtime");
  EXPECT_THAT(manifest->version, ElementsAre("{tool}", "--version"));
  EXPECT_THAT(manifest->mounts, ElementsAre("/etc/toy", "/etc/toy-*"));
  ASSERT_EQ(manifest->programs.size(), 2U);
  EXPECT_EQ(manifest->programs[0].name, "tool");
  EXPECT_THAT(manifest->programs[0].candidates,
              ElementsAre("/usr/bin/toyc", "/usr/local/bin/toyc"));
  EXPECT_EQ(manifest->programs[1].name, "assembler");
  ASSERT_TRUE(manifest->compile.has_value());
  EXPECT_EQ(manifest->compile->argv.size(), 6U);
  EXPECT_THAT(manifest->compile->env, ElementsAre("TOY=1", "EMPTY="));
  EXPECT_THAT(manifest->compile->keep, ElementsAre("a.out", "lib/**"));
  EXPECT_EQ(manifest->compile->limits.wall, std::chrono::seconds(30));
  EXPECT_EQ(manifest->compile->limits.memory, 512 * kMiB);
  EXPECT_EQ(manifest->compile->limits.processes, 128U);
  EXPECT_EQ(manifest->compile->limits.cpus_milli, 500U);
  EXPECT_FALSE(manifest->compile->limits.output.has_value());
  ASSERT_EQ(manifest->compile->linkers.size(), 1U);
  EXPECT_EQ(manifest->compile->linkers[0].program, "/usr/bin/ld.toy");
  EXPECT_EQ(manifest->compile->linkers[0].argument, "--ld=toy");
  ASSERT_TRUE(manifest->precompile.has_value());
  EXPECT_THAT(manifest->precompile->headers, ElementsAre("toy/all.h"));
  EXPECT_THAT(manifest->precompile->list, ElementsAre("{tool}", "-M", "{header}"));
  EXPECT_EQ(manifest->precompile->argv.back(), "{output}");
  EXPECT_EQ(manifest->precompile->limits.memory, 2 * kGiB);
  EXPECT_THAT(manifest->run.argv, ElementsAre("/box/a.out", "{args}"));
  EXPECT_EQ(manifest->run.limits.output, 2 * kMiB);
  ASSERT_TRUE(manifest->run.warm.has_value());
  EXPECT_EQ(manifest->run.warm->kind, InterpreterKind::kCpython);
  EXPECT_THAT(manifest->run.warm->preload, ElementsAre("toys"));
  EXPECT_THAT(manifest->run.warm->light, ElementsAre("air"));
  EXPECT_THAT(manifest->run.warm->preload_when_named, ElementsAre("large.toys"));
  EXPECT_EQ(manifest->hello.file, "hello.toy");
  EXPECT_EQ(manifest->hello.source, "say Hello from Toy");
}

std::string list_of(std::size_t modules) {
  std::string list = "[";
  for (std::size_t i = 0; i < modules; ++i) list += "\"m\", ";
  return list + "]";
}

struct Refusal {
  std::string from;
  std::string to;
  std::string message;  // part of it
};

TEST(Manifest, RefusalsNameTheKey) {
  const Refusal refusals[] = {
      {"title = \"Toy\"", "titel = \"Toy\"", "'titel': unknown key"},
      {"env = [\"TOY=1\"", "enw = [\"TOY=1\"", "compile.'enw': unknown key"},
      {"output = \"2M\"", "outputs = \"2M\"", "run.limits: no limit is called 'outputs'"},
      {"file = \"hello.toy\"", "file = \"hello.toy\"\nlines = 1", "hello.'lines': unknown key"},
      {"[run]\n", "[run]\nkeep = [\"x\"]\n", "run.'keep': unknown key"},
      {"name = \"toy\"", "", "name: is missing"},
      {"name = \"toy\"", "name = 3", "name: must be a text"},
      {"name = \"toy\"", "name = \"To y\"", "name: must be of"},
      {"name = \"toy\"", "name = \"-toy\"", "name: must be of"},
      {"\"toys\"", "\"toy\"", "aliases: 'toy' must be another word"},
      {"\"toys\"", "\"t++\"", "aliases: 't++' stands twice"},
      {"\"toys\"", "1", "aliases: must be a list of texts"},
      {"\".toy\"", "\"toy\"", "extensions: 'toy' must be a dot"},
      {"\".toy\"", "\".t.oy\"", "extensions: '.t.oy' must be a dot"},
      {"[\".toy\", \".TOY\"]", "[]", "extensions: must name at least one"},
      {"package = \"toy-compiler toy-runtime\"", "", "package: is missing"},
      {"/usr/local/bin/toyc", "bin/toyc", "programs.tool: 'bin/toyc' must be an absolute path"},
      {"/usr/local/bin/toyc", "/usr/../x", "programs.tool: '/usr/../x' must be an absolute path"},
      {"tool = [\"/usr/bin/toyc\"", "tul = [\"/usr/bin/toyc\"", "programs.tool: is missing"},
      {"\"/etc/toy\"", "\"etc/toy\"", "mounts: 'etc/toy' must be absolute"},
      {"\"/etc/toy\"", "\"/etc\"", "mounts: '/etc' would show too much"},
      {"\"/etc/toy\"", "\"/*\"", "mounts: '/*' would show too much"},
      {"\"/etc/toy\"", "\"/etc/*/toy\"", "mounts: '/etc/*/toy' may have a pattern in its last"},
      {"\"/etc/toy\"", "\"/proc/1\"", "mounts: '/proc/1' is the cell's own"},
      {"\"/etc/toy\"", "\"/box\"", "mounts: '/box' is the cell's own"},
      {"\"--version\"", "\"{entry}\"", "version: template '{entry}' has no meaning here"},
      {"{sources}", "{source}", "compile.argv: unknown template '{source}'"},
      {"{sources}", "{args}", "compile.argv: template '{args}' has no meaning here"},
      {"{tool:assembler}", "{tool:linker}", "compile.argv: '--with={tool:linker}' is not one of"},
      {"argv = [\"{tool}\"", "argv = [\"toyc\"", "compile.argv: the first must be"},
      {"argv = [\"{tool}\"", "argv = [\"{sources}\"", "compile.argv: the first must be"},
      {"\"{linker}\"", "\"-x{linker}\"", "{linker} must be arguments of their own"},
      {"\"{linker}\"", "\"{header}\"", "compile.argv: template '{header}' has no meaning here"},
      {"\"-M\"", "\"{linker}\"", "precompile.list: template '{linker}' has no meaning here"},
      {"\"-M\"", "\"{entry}\"", "precompile.list: template '{entry}' has no meaning here"},
      {"/usr/bin/ld.toy", "ld.toy", "compile.linkers.program: 'ld.toy' must be an absolute path"},
      {"argument =", "arg =", "compile.linkers.'arg': unknown key"},
      {"linkers = [", "linkers = [ 1,", "compile.linkers: must be a list of tables"},
      {"toy/all.h", "/toy/all.h", "precompile.headers: '/toy/all.h' must be a header's name"},
      {"toy/all.h", "../all.h", "precompile.headers: '../all.h' must be a header's name"},
      {"toy/all.h", "a b.h", "precompile.headers: 'a b.h' must be a header's name"},
      {"headers = [\"toy/all.h\"]", "", "precompile.headers: must name at least one"},
      {"\"TOY=1\"", "\"TOY\"", "compile.env: 'TOY' is not NAME=value"},
      {"\"EMPTY=\"", "\"TOY=2\"", "compile.env: 'TOY=2' sets a name again"},
      {"\"lib/**\"", "\"/lib/**\"", "compile.keep: '/lib/**' must be a short pattern"},
      {"keep = [\"a.out\", \"lib/**\"]", "", "compile.keep: must name at least one"},
      {"\"512M\"", "\"much\"", "compile.limits: limit memory"},
      {"\"512M\"", "0", "compile.limits: limit memory"},
      {"\"512M\"", "0.5", "compile.limits.memory: must be a text such as"},
      {"\"/box/a.out\", \"{args}\"", "\"/box/a.out\"", "run.argv: must end with {args}"},
      {"\"/box/a.out\", \"{args}\"", "\"/box/a.out\", \"{args}\", \"{args}\"",
       "run.argv: must end"},
      {"cpython", "ruby", "run.warm.kind: must be one of cpython, node, java, javac"},
      {"cpython", "node", "run.warm.preload: is for cpython"},
      {"cpython\", preload = [\"toys\"]", "node\"", "run.warm.light: is for cpython"},
      {"cpython\", preload = [\"toys\"], light = [\"air\"]", "node\"",
       "run.warm.preload_when_named: is for cpython"},
      {"[\"air\"]", "true", "run.warm.light: must be a list of texts"},
      {"preload", "imports", "run.warm.'imports': unknown key"},
      {"[\"large.toys\"]", "1", "run.warm.preload_when_named: must be a list of texts"},
      {"[\"large.toys\"]", list_of(kMaxPreload), "run.warm.preload: has over 128 modules"},
      {"warm = {", "warm = true #", "run.warm: must be a table"},
      {"\"hello.toy\"", "\"hello.txt\"", "hello.file: must be a plain name"},
      {"\"hello.toy\"", "\"a/hello.toy\"", "hello.file: must be a plain name"},
      {"source = \"say Hello from Toy\"", "", "hello.source: is missing"},
      {"title = \"Toy\"", "title = Toy", "line 3: "},
  };
  for (const Refusal& refusal : refusals) {
    const auto manifest = parse_manifest(with(refusal.from, refusal.to));
    ASSERT_FALSE(manifest.has_value()) << refusal.to;
    EXPECT_EQ(manifest.error().code, Code::kInvalid) << refusal.to;
    EXPECT_THAT(manifest.error().message, HasSubstr(refusal.message));
  }
}

TEST(Manifest, NeedsNoCompileStage) {
  std::string text(kWhole);
  const std::size_t from = text.find("[compile]");
  text.erase(from, text.find("[run]") - from);
  const auto manifest = parse_manifest(text);
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  EXPECT_FALSE(manifest->compile.has_value());
}

TEST(Manifest, ExtensionIsThatOfTheLastComponent) {
  EXPECT_EQ(extension_of("a.py"), ".py");
  EXPECT_EQ(extension_of("a.b/c.tar.gz"), ".gz");
  EXPECT_EQ(extension_of("a.b/c"), "");
  EXPECT_EQ(extension_of(".profile"), "");
  EXPECT_EQ(extension_of("x/.profile"), "");
  EXPECT_EQ(extension_of(""), "");
}

}  // namespace
}  // namespace belljar::runtime
