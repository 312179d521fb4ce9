#include "engine/header_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "engine/toolchain_version.h"

namespace belljar::engine {
namespace {

namespace fs = std::filesystem;

class HeaderStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    // Not in /tmp, which no cell can show.
    std::string name = "/var/tmp/belljar-headers-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    folder_ = root_ / "store";
    write("compiler", "compiler");
    write("x.h", "int x;");
    manifest_.name = "toy";
    manifest_.programs = {{.name = "tool", .candidates = {}}};
    manifest_.compile.emplace();
    manifest_.precompile =
        runtime::Precompile{.headers = {"toy/x.h"}, .list = {"-M"}, .argv = {"-O2"}, .limits = {}};
    toolchain_.programs["tool"] = root_ / "compiler";
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& name, std::string_view text) const {
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  Status keep() {
    const std::string source = root_ / "x.h";
    return keep_headers(
        folder_, manifest_, toolchain_,
        {.files = {{"/toy/x.h", "precompiled"}}, .sources = {{source, file_stamp(source)}}});
  }
  [[nodiscard]] std::string find() const {
    return HeaderStore({root_ / "none", folder_}).find(manifest_, toolchain_);
  }
  [[nodiscard]] fs::path entry() const { return fs::path(find()).parent_path(); }

  fs::path root_, folder_;
  runtime::Manifest manifest_;
  runtime::Toolchain toolchain_;
};

TEST_F(HeaderStoreTest, ShowsWhatWasKept) {
  EXPECT_EQ(find(), "");
  const Status kept = keep();
  ASSERT_TRUE(kept.has_value()) << kept.error().message;
  const std::string show = find();
  ASSERT_NE(show, "");
  std::ifstream in(show + "/toy/x.h.gch");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "precompiled");
  EXPECT_TRUE(keep().has_value()) << "a second time changes nothing";
  EXPECT_EQ(find(), show);
}

TEST_F(HeaderStoreTest, AnotherCompilerOrFlagFindsNothing) {
  ASSERT_TRUE(keep().has_value());
  manifest_.precompile->argv = {"-O3"};
  EXPECT_EQ(find(), "");
  manifest_.precompile->argv = {"-O2"};
  EXPECT_NE(find(), "");
  write("compiler", "another");
  EXPECT_EQ(find(), "");
}

TEST_F(HeaderStoreTest, AChangedHeaderOfTheHostMakesItStale) {
  ASSERT_TRUE(keep().has_value());
  write("x.h", "int y;");
  EXPECT_EQ(find(), "");
  ASSERT_TRUE(keep().has_value()) << "made anew in its place";
  EXPECT_NE(find(), "");
  fs::remove(root_ / "x.h");
  EXPECT_EQ(find(), "");
}

TEST_F(HeaderStoreTest, WhatIsNotAsItWasRecordedIsNotUsed) {
  const std::vector<std::pair<const char*, std::function<void()>>> changes{
      {"another content", [this] { std::ofstream(entry() / "show/toy/x.h.gch") << "poisoned"; }},
      {"a file more", [this] { std::ofstream(entry() / "show/toy/y.h.gch") << "foreign"; }},
      {"a header of its own", [this] { std::ofstream(entry() / "show/vector") << "foreign"; }},
      {"a link", [this] { fs::create_symlink("/etc/passwd", entry() / "show/passwd"); }},
      {"a link in its place",
       [this] {
         fs::rename(entry() / "show/toy/x.h.gch", root_ / "moved");
         // After the move nothing is found any more: the entry by its name.
         for (const auto& each : fs::directory_iterator(folder_))
           fs::create_symlink(root_ / "moved", each.path() / "show/toy/x.h.gch");
       }},
      {"a second name",
       [this] { fs::create_hard_link(entry() / "show/toy/x.h.gch", root_ / "n"); }},
      {"a file missing", [this] { fs::remove(entry() / "show/toy/x.h.gch"); }},
      {"no record", [this] { fs::remove(entry() / "record"); }},
      {"a record of nothing",
       [this] { std::ofstream(entry() / "record") << "belljar headers 1\n"; }},
      {"a record that is none", [this] { std::ofstream(entry() / "record") << "rubbish"; }},
      {"others may write the file",
       [this] { ::chmod((entry() / "show/toy/x.h.gch").c_str(), 0666); }},
      {"others may write the folder", [this] { ::chmod((entry() / "show").c_str(), 0777); }},
      {"others may write the entry", [this] { ::chmod(entry().c_str(), 0775); }},
      {"others may write the store", [this] { ::chmod(folder_.c_str(), 0777); }},
  };
  for (const auto& [what, change] : changes) {
    TearDown();
    SetUp();
    ASSERT_TRUE(keep().has_value()) << what;
    ASSERT_NE(find(), "") << what;
    change();
    EXPECT_EQ(find(), "") << what;
  }
}

TEST_F(HeaderStoreTest, AnotherUsersFilesAreNotUsed) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_TRUE(keep().has_value());
  const fs::path made = entry();
  for (const char* const path : {"", "show", "record", "show/toy", "show/toy/x.h.gch"}) {
    ASSERT_EQ(::lchown((made / path).c_str(), 4242, 4242), 0);
    EXPECT_EQ(find(), "") << path;
    ASSERT_EQ(::lchown((made / path).c_str(), 0, 0), 0);
  }
}

TEST_F(HeaderStoreTest, AFolderThatOthersCanWriteIsRefused) {
  fs::create_directories(folder_);
  ::chmod(folder_.c_str(), 0777);
  const Status kept = keep();
  ASSERT_FALSE(kept.has_value());
  EXPECT_EQ(kept.error().code, Code::kDenied);
}

TEST_F(HeaderStoreTest, AFolderThatNoCellCanShowIsRefused) {
  folder_ = "/tmp/belljar-headers-of-nobody";
  const Status kept = keep();
  fs::remove_all(folder_);
  ASSERT_FALSE(kept.has_value());
  EXPECT_THAT(kept.error().message, testing::HasSubstr("no cell can show"));
}

TEST_F(HeaderStoreTest, KeepsSoManyAndClearsUpAfterACrash) {
  for (int i = 0; i < 12; ++i) {
    manifest_.precompile->argv = {std::to_string(i)};
    ASSERT_TRUE(keep().has_value());
  }
  EXPECT_NE(find(), "") << "the newest";
  fs::create_directories(folder_ / ".draft/show");
  manifest_.precompile->argv = {"last"};
  ASSERT_TRUE(keep().has_value());
  const auto count = std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  EXPECT_LE(count, 9);
  EXPECT_FALSE(fs::exists(folder_ / ".draft"));
}

}  // namespace
}  // namespace belljar::engine
