#include "engine/compile_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "cell/spec.h"

namespace belljar::engine {
namespace {

namespace fs = std::filesystem;

class CompileKeyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/belljar-compile-key-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    write("compiler", "one");
    toolchain_.programs["tool"] = root_ / "compiler";
    spec_.argv = {"/usr/bin/g++", "-O2", "a.cpp"};
    spec_.env = {"LANG=C"};
    spec_.artifacts = {"a.out"};
    files_ = {{.path = "a.cpp", .content = "int main() {}", .executable = false},
              {.path = "b.h", .content = "x", .executable = false}};
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& name, std::string_view text) const {
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  [[nodiscard]] CompileKey key() const {
    std::string bundle;
    for (const BundleFile& file : files_) append_file(bundle, file);
    append_end(bundle, false);
    return compile_key({.tenant = tenant_,
                        .spec = cell::encode(spec_, bundle),
                        .policy = policy_,
                        .toolchain = toolchain_,
                        .version = version_,
                        .host = host_});
  }

  fs::path root_;
  std::string tenant_ = "key_1";
  std::string version_ = "g++ 12.2";
  cell::CellSpec spec_;
  std::vector<BundleFile> files_;
  Policy policy_;
  runtime::Toolchain toolchain_;
  HostFacts host_{.kernel = "6.1", .cgroup_mode = "v2", .landlock_abi = 4, .rootless = false};
};

TEST_F(CompileKeyTest, TheSameInputHasTheSameKey) {
  EXPECT_EQ(key(), key());
}

TEST_F(CompileKeyTest, AnyOtherInputHasAnother) {
  const CompileKey before = key();
  struct Change {
    const char* what;
    std::function<void(CompileKeyTest&)> make;
  };
  const std::vector<Change> changes{
      {"a byte of a file", [this](auto&) { files_[0].content = "int main() {};"; }},
      {"a file's name", [this](auto&) { files_[0].path = "b.cpp"; }},
      {"a byte that moves from a name to the content",
       [this](auto&) { files_[1] = {.path = "b.", .content = "hx", .executable = false}; }},
      {"a file that may be executed", [this](auto&) { files_[1].executable = true; }},
      {"one file less", [this](auto&) { files_.pop_back(); }},
      {"an empty file more", [this](auto&) { files_.push_back({.path = "c", .content = ""}); }},
      {"a flag", [this](auto&) { spec_.argv[1] = "-O3"; }},
      {"two arguments in one", [this](auto&) { spec_.argv = {"/usr/bin/g++", "-O2a.cpp"}; }},
      {"an argument that is a variable",
       [this](auto&) {
         spec_.argv.pop_back();
         spec_.env.insert(spec_.env.begin(), "a.cpp");
       }},
      {"a variable", [this](auto&) { spec_.env.emplace_back("X=1"); }},
      {"a mount", [this](auto&) { spec_.mounts.emplace_back("/opt/x"); }},
      {"what is kept", [this](auto&) { spec_.artifacts.emplace_back("*.o"); }},
      {"a limit", [this](auto&) { spec_.limits.memory += 1; }},
      {"a clock", [this](auto&) { spec_.limits.cpu += Nanoseconds(1); }},
      {"the network", [this](auto&) { spec_.loopback = !spec_.loopback; }},
      {"a wall left out", [this](auto&) { spec_.without = {Wall::kSeccomp}; }},
      {"a wall required", [this](auto&) { spec_.require = {Wall::kSeccomp}; }},
      {"the policy", [this](auto&) { policy_.name = "strict"; }},
      {"what ends a flood", [this](auto&) { policy_.on_output_limit = OnOutputLimit::kDrain; }},
      {"the tenant", [this](auto&) { tenant_ = "key_2"; }},
      {"the version", [this](auto&) { version_ = "g++ 12.3"; }},
      {"the kernel", [this](auto&) { host_.kernel = "6.2"; }},
      {"the compiler's size", [this](auto&) { write("compiler", "three"); }},
      {"the compiler's bytes", [this](auto&) { write("compiler", "two"); }},
      {"the compiler's time",
       [this](auto&) {
         const timespec times[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
         ::utimensat(AT_FDCWD, (root_ / "compiler").c_str(), times, 0);
       }},
      {"the compiler's inode",
       [this](auto&) {
         write("new", "one");
         fs::rename(root_ / "new", root_ / "compiler");
       }},
      {"one program more", [this](auto&) { toolchain_.programs["linker"] = "/usr/bin/ld"; }},
  };
  for (const Change& change : changes) {
    TearDown();
    SetUp();
    // The compiler has been made anew: that alone is another key.
    const CompileKey fresh = key();
    EXPECT_NE(fresh, before);
    const auto [tenant, version] = std::pair(tenant_, version_);
    const auto [policy, host] = std::pair(policy_, host_);
    const cell::CellSpec spec = spec_;
    const runtime::Toolchain toolchain = toolchain_;
    change.make(*this);
    EXPECT_NE(key(), fresh) << change.what;
    std::tie(tenant_, version_, policy_, host_, spec_, toolchain_) =
        std::tie(tenant, version, policy, host, spec, toolchain);
  }
}

Compiled compiled(std::size_t bytes, char fill = 'x') {
  Compiled made;
  made.stage.kind = StageKind::kCompile;
  made.stage.status = RunStatus::kOk;
  made.files = {{.path = "a.out", .content = std::string(bytes, fill), .executable = true}};
  return made;
}

CompileKey key_of(const std::string& tenant, std::string_view input) {
  return {.tenant = tenant, .input = digest(input)};
}

class CompileCacheTest : public testing::Test {
 protected:
  bool has(const std::string& tenant, std::string_view input) {
    return cache_.find(key_of(tenant, input)) != nullptr;
  }
  int hits_ = 0;
  int misses_ = 0;
  CompileCache cache_{1 * kMiB, [this](bool hit) { ++(hit ? hits_ : misses_); }};
};

TEST_F(CompileCacheTest, GivesBackWhatWasKeptAndCountsBoth) {
  EXPECT_FALSE(has("a", "1"));
  cache_.keep(key_of("a", "1"), compiled(100));
  const auto found = cache_.find(key_of("a", "1"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->files, compiled(100).files);
  EXPECT_EQ(hits_, 1);
  EXPECT_EQ(misses_, 1);
}

TEST_F(CompileCacheTest, NoTenantGetsAnothersEvenForTheSameDigest) {
  cache_.keep(key_of("a", "1"), compiled(100));
  EXPECT_FALSE(has("b", "1"));
  EXPECT_TRUE(has("a", "1"));
}

TEST_F(CompileCacheTest, TheFirstOfTwoStays) {
  cache_.keep(key_of("a", "1"), compiled(100, 'x'));
  cache_.keep(key_of("a", "1"), compiled(100, 'y'));
  EXPECT_EQ(cache_.find(key_of("a", "1"))->files, compiled(100, 'x').files);
}

TEST_F(CompileCacheTest, StaysWithinItsBytesAndLetsGoWhatWasUsedLeastLately) {
  for (const char* const input : {"1", "2", "3", "4"}) {
    cache_.keep(key_of("a", input), compiled(200 * kKiB));
  }
  EXPECT_TRUE(has("a", "1"));
  cache_.keep(key_of("a", "5"), compiled(200 * kKiB));
  cache_.keep(key_of("a", "6"), compiled(200 * kKiB));
  EXPECT_LE(cache_.bytes(), 1 * kMiB);
  EXPECT_FALSE(has("a", "2"));
  EXPECT_TRUE(has("a", "1"));
  EXPECT_TRUE(has("a", "6"));
}

TEST_F(CompileCacheTest, ATenantThatFillsItDrivesOutNobodyElse) {
  cache_.keep(key_of("quiet", "1"), compiled(100 * kKiB));
  for (int i = 0; i < 50; ++i) {
    cache_.keep(key_of("loud", std::to_string(i)), compiled(200 * kKiB));
  }
  EXPECT_TRUE(has("quiet", "1"));
  EXPECT_TRUE(has("loud", "49"));
  EXPECT_LE(cache_.bytes(), 1 * kMiB);
}

TEST_F(CompileCacheTest, WhatWouldDriveOutMostIsNotKept) {
  cache_.keep(key_of("a", "1"), compiled(100));
  cache_.keep(key_of("a", "2"), compiled(512 * kKiB));
  EXPECT_FALSE(has("a", "2"));
  EXPECT_TRUE(has("a", "1"));
}

TEST(CompileCacheMayKeep, OnlyWhatAnotherCompileWouldHaveComeTo) {
  const std::vector<File> sources{{.path = "a.c", .content = "int x;", .executable = false}};
  EXPECT_TRUE(may_keep(compiled(1), sources));
  for (int i = 0; i <= static_cast<int>(RunStatus::kCancelled); ++i) {
    Compiled made = compiled(1);
    made.stage.status = static_cast<RunStatus>(i);
    const bool wanted =
        made.stage.status == RunStatus::kOk || made.stage.status == RunStatus::kCompileError;
    EXPECT_EQ(may_keep(made, sources), wanted) << to_string(made.stage.status);
  }
  const std::vector<std::function<void(StageOutcome&)>> doubts{
      [](StageOutcome& s) { s.events.process_limit_hits = 1; },
      [](StageOutcome& s) { s.events.disk_full = true; },
      [](StageOutcome& s) { s.usage.oom_kills = 1; }, [](StageOutcome& s) { s.signal = 9; },
      [](StageOutcome& s) { s.err.truncated = true; }};
  for (const auto& doubt : doubts) {
    Compiled made = compiled(1);
    made.stage.status = RunStatus::kCompileError;
    doubt(made.stage);
    EXPECT_FALSE(may_keep(made, sources));
  }
}

TEST(CompileCacheMayKeep, NotWhatAsksForTheTime) {
  for (const char* const word : {"__TIME__", "__DATE__", "__TIMESTAMP__"}) {
    const std::vector<File> sources{{.path = "a.c", .content = "int x;", .executable = false},
                                    {.path = "b.h",
                                     .content = std::string("const char* t = ") + word + ";",
                                     .executable = false}};
    EXPECT_FALSE(may_keep(compiled(1), sources)) << word;
  }
}

}  // namespace
}  // namespace belljar::engine
