#include "runtime/toolchain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace belljar::runtime {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ToolchainTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/belljar-toolchain-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = fs::canonical(name);
    fs::create_directories(root_ / "shown");
    fs::create_directories(root_ / "person");
    // NOLINTNEXTLINE(concurrency-mt-unsafe): tests run on one thread.
    if (const char* const home = ::getenv("HOME")) home_ = home;
    ::setenv("HOME", (root_ / "person").c_str(), 1);
    manifest_.title = "Toy";
    manifest_.package = "toy-tools";
    manifest_.mounts = {path("shown")};
  }
  void TearDown() override {
    ::setenv("HOME", home_.c_str(), 1);
    fs::remove_all(root_);
  }

  [[nodiscard]] std::string path(const std::string& relative) const { return root_ / relative; }
  [[nodiscard]] std::string make_file(const std::string& relative, fs::perms perms) const {
    std::ofstream(root_ / relative) << "#!/bin/true\n";
    fs::permissions(root_ / relative, perms);
    return path(relative);
  }
  [[nodiscard]] std::string make_program(const std::string& relative) const {
    return make_file(relative,
                     fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  }
  Result<Toolchain> detect_one_of(std::vector<std::string> candidates) {
    manifest_.programs = {{.name = "tool", .candidates = std::move(candidates)}};
    return detect(manifest_);
  }

  fs::path root_;
  std::string home_ = "/";
  Manifest manifest_;
};

TEST_F(ToolchainTest, TakesTheFirstUsableCandidate) {
  fs::create_directory(root_ / "shown/directory");
  const std::string plain = make_file("shown/plain", fs::perms::owner_read);
  const std::string first = make_program("shown/first");
  const std::string second = make_program("shown/second");
  const auto toolchain =
      detect_one_of({path("shown/none"), path("shown/directory"), plain, first, second});
  ASSERT_TRUE(toolchain.has_value()) << toolchain.error().message;
  EXPECT_EQ(toolchain->programs.at("tool"), first);
}

TEST_F(ToolchainTest, KeepsTheNameOfALink) {
  const std::string real = make_program("shown/toy-1.2");
  fs::create_symlink(fs::path(real).filename(), root_ / "shown/toy");
  const auto toolchain = detect_one_of({path("shown/toy")});
  ASSERT_TRUE(toolchain.has_value()) << toolchain.error().message;
  EXPECT_EQ(toolchain->programs.at("tool"), path("shown/toy"));
}

TEST_F(ToolchainTest, SkipsAPersonsShim) {
  const std::string shim = make_program("person/toy");
  fs::create_symlink(shim, root_ / "shown/toy");
  manifest_.mounts.push_back(path("person"));
  const auto refused = detect_one_of({path("shown/toy")});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_THAT(refused.error().message,
              HasSubstr(path("shown/toy") + ": leads to a home directory"));

  const std::string other = make_program("shown/other");
  const auto toolchain = detect_one_of({path("shown/toy"), other});
  ASSERT_TRUE(toolchain.has_value());
  EXPECT_EQ(toolchain->programs.at("tool"), other);
}

TEST_F(ToolchainTest, SkipsWhatNoCellShows) {
  fs::create_directory(root_ / "elsewhere");
  const std::string hidden = make_program("elsewhere/toy");
  fs::create_symlink(hidden, root_ / "shown/toy");
  for (const std::string& candidate : {hidden, path("shown/toy")}) {
    const auto refused = detect_one_of({candidate});
    ASSERT_FALSE(refused.has_value()) << candidate;
    EXPECT_THAT(refused.error().message, HasSubstr("which no cell shows"));
  }
  manifest_.mounts.push_back(path("elsewhere"));
  EXPECT_TRUE(detect_one_of({hidden}).has_value());
}

TEST_F(ToolchainTest, AServiceHomeOfSlashHidesNothing) {
  ::setenv("HOME", "/", 1);
  EXPECT_TRUE(detect_one_of({make_program("shown/toy")}).has_value());
}

TEST_F(ToolchainTest, SaysWhichPackageBringsWhatIsMissing) {
  const std::string compiler = make_program("shown/toyc");
  manifest_.programs = {{.name = "tool", .candidates = {compiler}},
                        {.name = "vm", .candidates = {path("shown/toy"), "/usr/bin/no-toy-vm"}}};
  const auto refused = detect(manifest_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("Toy is not installed: apt-get install toy-tools brings it"),
                    HasSubstr("/usr/bin/no-toy-vm"), Not(HasSubstr(compiler))));
}

TEST_F(ToolchainTest, FindsEveryProgram) {
  manifest_.programs = {{.name = "tool", .candidates = {make_program("shown/toyc")}},
                        {.name = "vm", .candidates = {make_program("shown/toy")}}};
  const auto toolchain = detect(manifest_);
  ASSERT_TRUE(toolchain.has_value()) << toolchain.error().message;
  EXPECT_EQ(toolchain->programs.at("tool"), path("shown/toyc"));
  EXPECT_EQ(toolchain->programs.at("vm"), path("shown/toy"));
}

TEST_F(ToolchainTest, TakesTheFirstLinkerThatIsThereAndDoesWithoutOne) {
  manifest_.programs = {{.name = "tool", .candidates = {make_program("shown/toyc")}}};
  manifest_.compile.emplace();
  manifest_.compile->linkers = {{.program = path("shown/ld.fast"), .argument = "--ld=fast"},
                                {.program = path("shown/ld.slow"), .argument = "--ld=slow"}};
  auto toolchain = detect(manifest_);
  ASSERT_TRUE(toolchain.has_value()) << toolchain.error().message;
  EXPECT_EQ(toolchain->linker, "");
  EXPECT_FALSE(toolchain->programs.contains("linker"));
  const std::string slow = make_program("shown/ld.slow");
  toolchain = detect(manifest_);
  EXPECT_EQ(toolchain->linker, "--ld=slow");
  EXPECT_EQ(toolchain->programs.at("linker"), slow);
  const std::string fast = make_program("shown/ld.fast");
  EXPECT_EQ(detect(manifest_)->linker, "--ld=fast");
}

TEST_F(ToolchainTest, ResolvesMountsToTheDirectoriesThatAreThere) {
  for (const char* const directory : {"etc/toy-1", "etc/toy-2", "etc/toast", "etc/plain"}) {
    fs::create_directories(root_ / directory);
  }
  std::ofstream(root_ / "etc/toy-file") << "not a directory";
  manifest_.mounts = {path("etc/toy-*"), path("etc/plain"), path("etc/none"), path("none/*")};
  const auto toolchain = detect(manifest_);
  ASSERT_TRUE(toolchain.has_value()) << toolchain.error().message;
  EXPECT_THAT(toolchain->mounts,
              ElementsAre(path("etc/plain"), path("etc/toy-1"), path("etc/toy-2")));
}

}  // namespace
}  // namespace belljar::runtime
