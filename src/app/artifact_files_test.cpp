#include "app/artifact_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace belljar::app {
namespace {

using testing::HasSubstr;

class ArtifactFilesTest : public testing::Test {
 protected:
  ArtifactFilesTest() {
    std::string pattern = testing::TempDir() + "belljar-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~ArtifactFilesTest() override { std::filesystem::remove_all(root_); }

  std::string into() const { return root_ + "/artifacts"; }
  static std::string read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  static void write(const std::string& path, const std::string& content) {
    std::ofstream(path) << content;
  }

  std::string root_;
};

TEST_F(ArtifactFilesTest, MakesTheDirectoriesItNeeds) {
  const std::vector<File> files{{.path = "a/b/plot.png", .content = "png"},
                                {.path = "tool", .content = "#!", .executable = true}};
  ASSERT_TRUE(write_artifacts(into(), files, Replace::kNo));
  EXPECT_EQ(read(into() + "/a/b/plot.png"), "png");
  struct stat facts{};
  ASSERT_EQ(stat((into() + "/tool").c_str(), &facts), 0);
  EXPECT_NE(facts.st_mode & S_IXUSR, 0U);
}

TEST_F(ArtifactFilesTest, MakesNothingForNothing) {
  ASSERT_TRUE(write_artifacts(into(), {}, Replace::kNo));
  EXPECT_FALSE(std::filesystem::exists(into()));
}

TEST_F(ArtifactFilesTest, LeavesWhatIsThere) {
  std::filesystem::create_directory(into());
  write(into() + "/x", "mine");
  const std::vector<File> files{{.path = "x", .content = "theirs"}};
  const Status status = write_artifacts(into(), files, Replace::kNo);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("--force"));
  EXPECT_EQ(read(into() + "/x"), "mine");
}

TEST_F(ArtifactFilesTest, ReplacesAFileAndNeverWritesThroughIt) {
  std::filesystem::create_directory(into());
  write(root_ + "/outside", "mine");
  std::filesystem::create_symlink("../outside", into() + "/link");
  std::filesystem::create_hard_link(root_ + "/outside", into() + "/hard");
  const std::vector<File> files{{.path = "link", .content = "1"}, {.path = "hard", .content = "2"}};
  ASSERT_TRUE(write_artifacts(into(), files, Replace::kYes));
  EXPECT_EQ(read(root_ + "/outside"), "mine");
  EXPECT_EQ(read(into() + "/link"), "1");
  EXPECT_EQ(read(into() + "/hard"), "2");
  EXPECT_FALSE(std::filesystem::is_symlink(into() + "/link"));
}

TEST_F(ArtifactFilesTest, FollowsNoLinkOnTheWay) {
  std::filesystem::create_directory(into());
  std::filesystem::create_directory(root_ + "/outside");
  std::filesystem::create_directory_symlink("../outside", into() + "/way");
  const std::vector<File> files{{.path = "way/x", .content = "1"}};
  EXPECT_FALSE(write_artifacts(into(), files, Replace::kYes));
  EXPECT_TRUE(std::filesystem::is_empty(root_ + "/outside"));
}

TEST_F(ArtifactFilesTest, RefusesNamesThatLeaveTheDirectory) {
  for (const std::string name : {"../x", "/tmp/x", "a/../../x", "", ".", "a//b", "a\nb"}) {
    const std::vector<File> files{{.path = name, .content = "1"}};
    EXPECT_FALSE(write_artifacts(into(), files, Replace::kYes)) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(root_ + "/x"));
}

}  // namespace
}  // namespace belljar::app
