#include "engine/make_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::engine {
namespace {

using testing::ElementsAre;

TEST(MakeRule, ListsWhatStandsBehindTheColon) {
  const auto files = parse_make_rule("a.o: /box/a /usr/include/x.h \\\n /usr/include/c++/12/y\n");
  ASSERT_TRUE(files.has_value());
  EXPECT_THAT(*files, ElementsAre("/box/a", "/usr/include/x.h", "/usr/include/c++/12/y"));
  EXPECT_THAT(*parse_make_rule("a.o: "), ElementsAre());
}

TEST(MakeRule, RefusesWhatItDoesNotUnderstand) {
  for (const char* const text :
       {"", "a.o", "a.o: x.h", "a.o: /a\\ b", "a.o: /a$$b", "a.o: /a\tb"}) {
    EXPECT_FALSE(parse_make_rule(text).has_value()) << text;
  }
  std::string many = "a.o:";
  for (int i = 0; i < 9000; ++i) many += " /x";
  EXPECT_FALSE(parse_make_rule(many).has_value());
}

}  // namespace
}  // namespace belljar::engine
