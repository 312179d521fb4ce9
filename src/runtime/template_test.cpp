#include "runtime/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::runtime {
namespace {

using testing::HasSubstr;

struct Case {
  std::string argument;
  std::vector<Piece> pieces;
};

TEST(Template, IsTakenApart) {
  const Case cases[] = {
      {"", {}},
      {"-O2", {{Slot::kText, "-O2"}}},
      {"}", {{Slot::kText, "}"}}},
      {"{tool}", {{Slot::kTool, "tool"}}},
      {"{tool:java}", {{Slot::kTool, "java"}}},
      {"{entry}", {{Slot::kEntry, ""}}},
      {"{dir}", {{Slot::kDir, ""}}},
      {"{sources}", {{Slot::kSources, ""}}},
      {"{args}", {{Slot::kArgs, ""}}},
      {"-Xmx{memory_mb}m", {{Slot::kText, "-Xmx"}, {Slot::kMemoryMb, ""}, {Slot::kText, "m"}}},
      {"/box/{stem}.js", {{Slot::kText, "/box/"}, {Slot::kStem, ""}, {Slot::kText, ".js"}}},
      {"{cpus}{cpus}", {{Slot::kCpus, ""}, {Slot::kCpus, ""}}},
  };
  for (const Case& c : cases) {
    const auto pieces = parse_template(c.argument);
    ASSERT_TRUE(pieces.has_value()) << c.argument;
    EXPECT_EQ(*pieces, c.pieces) << c.argument;
  }
}

TEST(Template, NamesWhatItDoesNotKnow) {
  for (const char* const unknown : {"{home}", "{}", "{tool:}", "{Entry}", "{ entry}", "{entry"}) {
    const auto pieces = parse_template("x" + std::string(unknown));
    ASSERT_FALSE(pieces.has_value()) << unknown;
    EXPECT_EQ(pieces.error().code, Code::kInvalid);
    EXPECT_THAT(pieces.error().message, HasSubstr(unknown));
  }
}

TEST(Template, RefusesManyInsideOneArgument) {
  for (const char* const mixed : {"-I{sources}", "{args},", "{sources}{args}"}) {
    const auto pieces = parse_template(mixed);
    ASSERT_FALSE(pieces.has_value()) << mixed;
    EXPECT_THAT(pieces.error().message, HasSubstr("arguments of their own"));
  }
}

TEST(Template, KnowsWhereASlotIsUsed) {
  const std::vector<std::string> argv{"{tool}", "-m{memory_mb}", "{broken"};
  EXPECT_TRUE(uses(argv, Slot::kTool));
  EXPECT_TRUE(uses(argv, Slot::kMemoryMb));
  EXPECT_FALSE(uses(argv, Slot::kEntry));
  EXPECT_FALSE(uses({}, Slot::kText));
}

}  // namespace
}  // namespace belljar::runtime
