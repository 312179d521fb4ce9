#include "app/submission_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace belljar::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SubmissionFilesTest : public testing::Test {
 protected:
  SubmissionFilesTest() {
    std::string pattern = testing::TempDir() + "belljar-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~SubmissionFilesTest() override { std::filesystem::remove_all(root_); }

  std::string path(const std::string& name) const { return root_ + "/" + name; }
  void write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name)) << content;
  }

  std::string root_;
};

std::vector<std::string> names_of(const SubmissionFiles& files) {
  std::vector<std::string> names;
  for (const File& file : files.files()) names.push_back(file.path);
  return names;
}

TEST_F(SubmissionFilesTest, ReadsADirectoryInTheOrderOfNames) {
  write("b.py", "2");
  write("a/z.py", "1");
  write("c.py", "3");
  SubmissionFiles files(100);
  ASSERT_TRUE(files.add_directory(root_, ""));
  EXPECT_THAT(names_of(files), ElementsAre("a/z.py", "b.py", "c.py"));
  EXPECT_EQ(files.files()[0].content, "1");
}

TEST_F(SubmissionFilesTest, FollowsNoLinkAndLeavesHiddenNamesOut) {
  write("real.py", "1");
  write(".git/config", "secret");
  write(".env", "secret");
  std::filesystem::create_symlink("/etc/passwd", path("link.py"));
  std::filesystem::create_directory_symlink("/etc", path("etc"));
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  SubmissionFiles files(100);
  ASSERT_TRUE(files.add_directory(root_, ""));
  EXPECT_THAT(names_of(files), ElementsAre("real.py"));
  EXPECT_EQ(files.links(), 2U);
}

TEST_F(SubmissionFilesTest, FollowsALinkThatAPersonNamed) {
  write("real.py", "1");
  std::filesystem::create_symlink("real.py", path("link.py"));
  SubmissionFiles files(100);
  ASSERT_TRUE(files.add_file(path("link.py"), "link.py"));
  EXPECT_EQ(files.files()[0].content, "1");
}

TEST_F(SubmissionFilesTest, KeepsTheExecutableBit) {
  write("tool", "#!");
  write("data", "");
  chmod(path("tool").c_str(), 0755);
  SubmissionFiles files(100);
  ASSERT_TRUE(files.add(root_, "kit"));
  EXPECT_THAT(names_of(files), ElementsAre("kit/data", "kit/tool"));
  EXPECT_FALSE(files.files()[0].executable);
  EXPECT_TRUE(files.files()[1].executable);
}

TEST_F(SubmissionFilesTest, BoundsTheBytesOfAllFilesTogether) {
  write("a", std::string(60, 'x'));
  write("b", std::string(60, 'x'));
  SubmissionFiles fits(120);
  EXPECT_TRUE(fits.add_directory(root_, ""));
  SubmissionFiles files(119);
  const Status status = files.add_directory(root_, "");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kInvalid);
  EXPECT_THAT(status.error().message, HasSubstr("119 B"));
}

TEST_F(SubmissionFilesTest, BoundsTheDepth) {
  std::string deep = "d";
  for (int i = 0; i < 40; ++i) deep += "/d";
  write(deep + "/x", "");
  SubmissionFiles files(100);
  const Status status = files.add_directory(root_, "");
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("directories deep"));
}

TEST_F(SubmissionFilesTest, BoundsWhatAPipeGives) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "0123456789", 10), 10);
  close(ends[1]);
  const auto bytes = read_whole(ends[0], "pipe", 9);
  close(ends[0]);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Code::kInvalid);
}

TEST_F(SubmissionFilesTest, NamesWhatCannotBeRead) {
  SubmissionFiles files(100);
  const Status status = files.add(path("missing.py"), "missing.py");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kInvalid);
  EXPECT_THAT(status.error().message, HasSubstr("missing.py"));
  EXPECT_THAT(files.files(), IsEmpty());
}

TEST(BaseName, IsTheLastComponent) {
  EXPECT_EQ(base_name("a/b.py"), "b.py");
  EXPECT_EQ(base_name("b.py"), "b.py");
  EXPECT_EQ(base_name("a/b/"), "b");
}

}  // namespace
}  // namespace belljar::app
