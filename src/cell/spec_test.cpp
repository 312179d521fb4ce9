#include "cell/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace belljar::cell {
namespace {

CellSpec good() {
  CellSpec spec;
  spec.argv = {"/usr/bin/true", "-x"};
  spec.env = {"HOME=/box"};
  spec.mounts = {"/etc/java-17-openjdk"};
  spec.headers = "/var/cache/headers";
  spec.artifacts = {"*.png"};
  spec.terminal = true;
  spec.without = {Wall::kSeccomp};
  spec.interpreter = {"/usr/bin/java", "-cp", "/box"};
  spec.interpreter_kind = InterpreterKind::kJava;
  spec.interpreter_env = {"HOME=/box"};
  return spec;
}

std::string bundle_of(std::string_view path) {
  std::string bytes;
  append_file(bytes, {.path = path, .content = "text", .executable = false});
  append_end(bytes, false);
  return bytes;
}

TEST(CellSpec, ComesBackFromItsBytes) {
  const std::string bundle = bundle_of("a/b.py");
  const std::string bytes = encode(good(), bundle);
  const Result<DecodedSpec> decoded = decode(bytes);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->spec, good());
  EXPECT_EQ(decoded->bundle, bundle);
}

TEST(CellSpec, EveryCutOfItsBytesIsAnErrorOrABundleThatIsNone) {
  const std::string bytes = encode(good(), bundle_of("a.py"));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);
    const Result<DecodedSpec> decoded = decode(cut);
    if (decoded) EXPECT_FALSE(parse_bundle(decoded->bundle).has_value()) << size;
  }
}

TEST(CellSpec, EveryChangedByteIsReadWithoutHarm) {
  const std::string bytes = encode(good(), bundle_of("a.py"));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const char byte : {'\0', '\x7f', '\xff'}) {
      std::string changed = bytes;
      changed[at] = byte;
      const Result<DecodedSpec> decoded = decode(changed);
      if (!decoded) continue;
      const Result<Bundle> files = parse_bundle(decoded->bundle);
      if (files) (void)check_spec(decoded->spec, *files, highest_limits()).has_value();
    }
  }
}

struct Bad {
  const char* what;
  void (*spoil)(CellSpec&);
  const char* says;
};

TEST(CellSpec, RefusesWhatNoClientMayAskFor) {
  const Bad cases[] = {
      {"no program", [](CellSpec& s) { s.argv.clear(); }, "absolute path"},
      {"relative program", [](CellSpec& s) { s.argv = {"true"}; }, "absolute path"},
      {"program with ..", [](CellSpec& s) { s.argv = {"/usr/../bin/true"}; }, "absolute path"},
      {"NUL in an argument", [](CellSpec& s) { s.argv.emplace_back("a\0b", 3); }, "NUL"},
      {"long argument", [](CellSpec& s) { s.argv.emplace_back(200'000, 'a'); }, "one string"},
      {"many arguments",
       [](CellSpec& s) { s.argv.insert(s.argv.end(), 40, std::string(100'000, 'a')); }, "1 MiB"},
      {"relative interpreter", [](CellSpec& s) { s.interpreter = {"java"}; }, "interpreter"},
      {"NUL in an interpreter's word", [](CellSpec& s) { s.interpreter.emplace_back("a\0b", 3); },
       "NUL"},
      {"long word of an interpreter", [](CellSpec& s) { s.interpreter.emplace_back(200'000, 'a'); },
       "one string"},
      {"relative mount", [](CellSpec& s) { s.mounts = {"etc"}; }, "mounts"},
      {"mount with ..", [](CellSpec& s) { s.mounts = {"/etc/../root"}; }, "mounts"},
      {"relative headers", [](CellSpec& s) { s.headers = "headers"; }, "headers"},
      {"headers with ..", [](CellSpec& s) { s.headers = "/a/../b"; }, "headers"},
      {"headers that end the option", [](CellSpec& s) { s.headers = "/a:/etc"; }, "headers"},
      {"headers that the new root hides", [](CellSpec& s) { s.headers = "/tmp/h"; }, "headers"},
      {"headers that begin another", [](CellSpec& s) { s.headers = "/a,upperdir=/b"; }, "headers"},
      {"mount of everything", [](CellSpec& s) { s.mounts = {"/"}; }, "mounts"},
      {"empty glob", [](CellSpec& s) { s.artifacts = {""}; }, "glob"},
      {"no memory", [](CellSpec& s) { s.limits.memory = 0; }, "memory"},
      {"no time", [](CellSpec& s) { s.limits.wall = {}; }, "wall"},
      {"negative time", [](CellSpec& s) { s.limits.cpu = Nanoseconds(-1); }, "cpu"},
      {"endless time", [](CellSpec& s) { s.limits.wall = std::chrono::hours(9999); }, "wall"},
      {"too many processes", [](CellSpec& s) { s.limits.processes = 1U << 30; }, "processes"},
  };
  const std::string bundle = bundle_of("a.py");
  const Bundle files = *parse_bundle(bundle);
  ASSERT_TRUE(check_spec(good(), files, highest_limits()).has_value());
  for (const Bad& bad : cases) {
    CellSpec spec = good();
    bad.spoil(spec);
    const Status status = check_spec(spec, files, highest_limits());
    ASSERT_FALSE(status.has_value()) << bad.what;
    EXPECT_THAT(status.error().message, testing::HasSubstr(bad.says)) << bad.what;
  }
}

TEST(CellSpec, RefusesFilesThatLeaveTheBox) {
  for (const char* path : {"../a", "/a", "a/../../b", "a//b", "", "a/.", "a\nb"}) {
    const std::string bundle = bundle_of(path);
    EXPECT_FALSE(check_spec(good(), *parse_bundle(bundle), highest_limits()).has_value()) << path;
  }
}

}  // namespace
}  // namespace belljar::cell
