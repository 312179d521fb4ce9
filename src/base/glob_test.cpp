#include "base/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace belljar {
namespace {

struct Case {
  std::string_view pattern;
  std::string_view name;
};

TEST(Glob, Matches) {
  constexpr Case kCases[] = {
      {"", ""},
      {"a", "a"},
      {"*", ""},
      {"*", "plot.png"},
      {"*.png", "plot.png"},
      {"*.png", ".png"},
      {"p*t.p?g", "plot.png"},
      {"?", "a"},
      {"out/*", "out/a"},
      {"*/*", "a/b"},
      {"a*b*c", "a1b2b3c"},
      {"**", "a/b/c"},
      {"**", "a"},
      {"**/*.png", "plot.png"},
      {"**/*.png", "a/b/plot.png"},
      {"out/**", "out/a/b"},
      {"a/**/b", "a/b"},
      {"a/**/b", "a/x/y/b"},
      {"**/x", "x"},
      {"**/a/**/b", "a/b"},
      {"***", "a/b"},
      {"[a]", "[a]"},
      {"{a,b}", "{a,b}"},
      {"\\*", "\\x"},
      {"é*", "école"},
  };
  for (const Case& c : kCases) {
    EXPECT_TRUE(glob_match(c.pattern, c.name)) << c.pattern << " " << c.name;
  }
}

TEST(Glob, DoesNotMatch) {
  constexpr Case kCases[] = {
      {"", "a"},          {"a", ""},
      {"a", "b"},         {"a", "ab"},
      {"?", ""},          {"?", "/"},
      {"*", "a/b"},       {"*.png", "a/b.png"},
      {"out/*", "out"},   {"out/*", "out/a/b"},
      {"a?b", "a/b"},     {"**/x", "ax"},
      {"a/**/b", "a/xb"}, {"a/**/b", "ab"},
      {"a/**/b", "ax/b"}, {"*.PNG", "a.png"},
      {"[ab]", "a"},      {"out/**", "out"},
      {"**/b/c", "ab/c"},
  };
  for (const Case& c : kCases) {
    EXPECT_FALSE(glob_match(c.pattern, c.name)) << c.pattern << " " << c.name;
  }
}

TEST(Glob, ALongPatternMatchesNothing) {
  EXPECT_TRUE(glob_match(std::string(kMaxGlobLength, 'a'), std::string(kMaxGlobLength, 'a')));
  const std::string longer(kMaxGlobLength + 1, 'a');
  EXPECT_FALSE(glob_match(longer, longer));
  EXPECT_FALSE(glob_match(std::string(kMaxGlobLength + 1, '*'), "a"));
}

TEST(Glob, ManyStarsCostNoMoreThanPatternTimesName) {
  std::string pattern;
  for (std::size_t i = 0; i < kMaxGlobLength / 2; ++i) pattern += "a*";
  EXPECT_TRUE(glob_match(pattern, std::string(4096, 'a')));
  pattern.back() = 'b';
  EXPECT_FALSE(glob_match(pattern, std::string(4096, 'a')));
}

TEST(Glob, WorksAtCompileTime) {
  static_assert(glob_match("**/*.png", "a/b.png"));
  static_assert(!glob_match("*.png", "a/b.png"));
}

}  // namespace
}  // namespace belljar
