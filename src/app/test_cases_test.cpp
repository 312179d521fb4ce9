#include "app/test_cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace belljar::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TestCasesTest : public testing::Test {
 protected:
  TestCasesTest() {
    std::string pattern = testing::TempDir() + "belljar-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~TestCasesTest() override { std::filesystem::remove_all(root_); }
  void touch(const std::string& name) const { std::ofstream(root_ + "/" + name) << name; }

  std::string root_;
};

TEST_F(TestCasesTest, PairsInputsWithOutputsInNaturalOrder) {
  for (const char* const name :
       {"10.in", "10.out", "2.in", "2.out", "1.out", "notes.txt", ".x.out"})
    touch(name);
  const auto cases = find_test_cases(root_);
  ASSERT_TRUE(cases);
  std::vector<std::string> names;
  for (const TestCase& test : *cases) names.push_back(test.name);
  EXPECT_THAT(names, ElementsAre("1", "2", "10"));
  EXPECT_FALSE((*cases)[0].input);
  EXPECT_EQ((*cases)[1].input, root_ + "/2.in");
}

TEST_F(TestCasesTest, RefusesAnInputWithoutItsOutput) {
  touch("1.in");
  touch("2.out");
  const auto cases = find_test_cases(root_);
  ASSERT_FALSE(cases);
  EXPECT_THAT(cases.error().message, HasSubstr("'1.out'"));
}

TEST_F(TestCasesTest, RefusesADirectoryWithoutTests) {
  EXPECT_FALSE(find_test_cases(root_));
  EXPECT_FALSE(find_test_cases(root_ + "/missing"));
}

TEST(NaturalOrder, ComparesNumbersByValue) {
  EXPECT_TRUE(natural_less("2", "10"));
  EXPECT_TRUE(natural_less("a2b", "a10a"));
  EXPECT_TRUE(natural_less("a", "a1"));
  EXPECT_TRUE(natural_less("01", "1"));
  EXPECT_FALSE(natural_less("1", "01"));
  EXPECT_FALSE(natural_less("x", "x"));
  EXPECT_TRUE(natural_less("99999999999999999998", "99999999999999999999"));
}

}  // namespace
}  // namespace belljar::app
