#include "engine/output_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::engine {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(OutputDifference, ForgivesWhiteSpaceAtTheEndsOnly) {
  EXPECT_FALSE(first_difference("1\n2\n", "1  \r\n2", Compare::kLenient));
  EXPECT_FALSE(first_difference("1\n\n\n", "1", Compare::kLenient));
  EXPECT_FALSE(first_difference("", "\n \n\t\n", Compare::kLenient));
  EXPECT_TRUE(first_difference("1\n2", "1\n 2", Compare::kLenient));
  EXPECT_TRUE(first_difference("1\n2", "1\n\n2", Compare::kLenient));
  EXPECT_TRUE(first_difference("1 2", "1  2", Compare::kLenient));
}

TEST(OutputDifference, CountsEveryByteWhenAsked) {
  EXPECT_FALSE(first_difference("1\n2\n", "1\n2\n", Compare::kExact));
  EXPECT_FALSE(first_difference("", "", Compare::kExact));
  EXPECT_TRUE(first_difference("1\n2\n", "1\n2", Compare::kExact));
  EXPECT_TRUE(first_difference("1\n", "1 \n", Compare::kExact));
  EXPECT_TRUE(first_difference("1\n", "1\n\n", Compare::kExact));
}

TEST(OutputDifference, NamesTheFirstLineThatDiffers) {
  const auto difference = first_difference("a\nb\nc\n", "a\nB\nC\n", Compare::kLenient);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->line, 2U);
  EXPECT_EQ(difference->expected, "b");
  EXPECT_EQ(difference->got, "B");
  EXPECT_EQ(to_string(*difference), "line 2: expected 'b', got 'B'");
}

TEST(OutputDifference, SaysWhereOneSideEnds) {
  const auto less = first_difference("a\nb\n", "a\n", Compare::kLenient);
  ASSERT_TRUE(less);
  EXPECT_EQ(to_string(*less), "line 2: expected 'b', got the end");
  const auto more = first_difference("a\n", "a\nb\n", Compare::kExact);
  ASSERT_TRUE(more);
  EXPECT_EQ(more->expected, std::nullopt);
}

TEST(OutputDifference, IsHarmlessForATerminal) {
  const auto difference = first_difference("x", "\x1b]0;title\x07", Compare::kLenient);
  ASSERT_TRUE(difference);
  const std::string text = to_string(*difference);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("\\x1b"));
}

TEST(OutputDifference, ShowsThePlaceWhereLongLinesPart) {
  const std::string same(100000, 'a');
  const auto difference = first_difference(same + "b", same + "c", Compare::kLenient);
  ASSERT_TRUE(difference);
  const std::string text = to_string(*difference);
  EXPECT_LT(text.size(), 200U);
  EXPECT_THAT(text, HasSubstr("ab'"));
  EXPECT_THAT(text, HasSubstr("ac'"));
}

TEST(OutputDifference, NeverSplitsACharacterWhenItCuts) {
  std::string same;
  for (int i = 0; i < 1000; ++i) same += "\xc3\xa9";
  const auto difference = first_difference(same + "b", same + "c", Compare::kLenient);
  ASSERT_TRUE(difference);
  EXPECT_THAT(to_string(*difference), Not(HasSubstr("\\x")));
}

}  // namespace
}  // namespace belljar::engine
