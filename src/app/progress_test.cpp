#include "app/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::app {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Progress, FillsInProportion) {
  EXPECT_EQ(render_progress(0, 2, "", 80), "[" + std::string(30, ' ') + "] 0/2");
  EXPECT_EQ(render_progress(1, 2, "", 80),
            "[" + std::string(15, '#') + std::string(15, ' ') + "] 1/2");
  EXPECT_EQ(render_progress(2, 2, "", 80), "[" + std::string(30, '#') + "] 2/2");
}

TEST(Progress, BearsNothingToDoAndTooMuchDone) {
  EXPECT_THAT(render_progress(0, 0, "", 80), HasSubstr("0/0"));
  EXPECT_EQ(render_progress(9, 2, "", 80), render_progress(2, 2, "", 80));
}

TEST(Progress, NeverGetsWiderThanTheTerminal) {
  for (std::size_t columns = 0; columns < 60; ++columns)
    EXPECT_LE(render_progress(1, 3, std::string(100, 'x'), columns).size(), columns);
}

TEST(Progress, ShowsNamesHarmlesslyAndOnOneLine) {
  const std::string line = render_progress(1, 3, "a\x1b[2J\nb", 200);
  EXPECT_THAT(line, Not(HasSubstr("\x1b")));
  EXPECT_THAT(line, Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace belljar::app
