#include "screen/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::screen {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(BuiltinRules, AreAllRead) {
  EXPECT_THAT(builtin_rules_names(), ElementsAre("default", "pysandbox", "secure-sandbox"));
  for (const std::string_view name : builtin_rules_names()) {
    const Result<RuleSet> rules = builtin_rules(name);
    ASSERT_TRUE(rules.has_value()) << rules.error().message;
    EXPECT_EQ(rules->name, name);
    EXPECT_FALSE(rules->rules.empty());
    EXPECT_THAT(std::string(builtin_rules_text(name)), HasSubstr("why = "));
  }
  const Result<RuleSet> none = builtin_rules("none");
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, Code::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("default, pysandbox, secure-sandbox"));
  EXPECT_EQ(builtin_rules_text("none"), "");
}

TEST(BuiltinRules, TheDefaultOnlyWarns) {
  for (const Rule& rule : builtin_rules("default")->rules) {
    EXPECT_EQ(rule.action, Action::kWarn) << rule.id;
  }
}

TEST(ParseRules, ReadsEverything) {
  const Result<RuleSet> rules = parse_rules(R"(
name = "mine"
why = "w"
message = "{rule} {text}"
finding = "refuse"
syntax_error = "refuse"
syntax_error_message = "{line}"
not_analysed = "refuse"
[limits]
file_bytes = 1000
total_bytes = 2000
depth = 30
milliseconds = 40
[[rules]]
id = "a"
languages = ["python", "c"]
kind = "name"
names = ["x"]
reason = "r"
message = "{place}"
action = "warn"
[[rules]]
id = "b"
languages = ["python"]
kind = "attribute-on-constant"
reason = "s"
)",
                                            "given");
  ASSERT_TRUE(rules.has_value()) << rules.error().message;
  RuleSet expected;
  expected.name = "mine";
  expected.message = "{rule} {text}";
  expected.syntax_error = Action::kRefuse;
  expected.syntax_error_message = "{line}";
  expected.not_analysed = Action::kRefuse;
  expected.limits = {
      .file_bytes = 1000, .total_bytes = 2000, .depth = 30, .time = std::chrono::milliseconds(40)};
  expected.rules = {{.id = "a",
                     .languages = {"python", "c"},
                     .kind = RuleKind::kName,
                     .names = {"x"},
                     .reason = "r",
                     .message = "{place}",
                     .action = Action::kWarn},
                    {.id = "b",
                     .languages = {"python"},
                     .kind = RuleKind::kAttributeOnConstant,
                     .names = {},
                     .reason = "s",
                     .message = "",
                     .action = Action::kRefuse}};
  EXPECT_EQ(*rules, expected);
}

TEST(ParseRules, SaysWhichFieldIsWrong) {
  const std::string rule = "why = \"w\"\n[[rules]]\n";
  const std::string whole =
      rule + "id = \"a\"\nlanguages = [\"python\"]\nkind = \"call\"\nnames = [\"x\"]\n";
  const auto with = [](const std::string& text, std::string_view more) {
    return text + std::string(more);
  };
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "why: a rule set must say what it is for"},
           {"why = 1", "why (line 1): must be a string"},
           {"why = \" \"", "why (line 1): must say something"},
           {"what = 1", "what (line 1): unknown key"},
           {"why = [", "line 1: "},
           {"why = \"w\"\nfinding = \"kill\"", "finding (line 2): must be \"warn\" or \"refuse\""},
           {"why = \"w\"\nmessage = \"{what}\"", "message (line 2): may use {path}"},
           {"why = \"w\"\nmessage = \"{path\"", "message (line 2): may use {path}"},
           {"why = \"w\"\nname = \"A\"", "name (line 2): must be 1 to 64"},
           {"why = \"w\"\nlimits = 1", "limits (line 2): must be a table"},
           {"why = \"w\"\n[limits]\ndepth = 0", "limits.depth (line 3): must be a whole number"},
           {"why = \"w\"\n[limits]\nfile_bytes = 99999999", "from 1 to 4194304"},
           {"why = \"w\"\n[limits]\nx = 1", "limits.x (line 3): unknown key"},
           {"why = \"w\"\nrules = 1", "rules (line 2): must be at most 1000"},
           {rule, "rules[0] (line 2): has no id"},
           {whole, "rules[0] (line 2): has no reason"},
           {with(whole, "reason = \"\""), "rules[0].reason (line 7): must say something"},
           {with(whole, "reason = \"r\"\nx = 1"), "rules[0].x (line 8): unknown key"},
           {rule + "kind = \"x\"", "rules[0].kind (line 3): must be one of import"},
           {rule + "languages = [\"cobol\"]", "'cobol' has no grammar; there are c, cpp, java"},
           {rule + "languages = []", "rules[0].languages (line 3): must be a list"},
           {rule + "names = [\"\"]", "rules[0].names (line 3): must be 1 to 256 bytes"},
           {rule + "id = \"a\"\nlanguages = [\"c\"]\nkind = \"call\"\nreason = \"r\"",
            "rules[0] (line 2): has no names"},
           {rule + "id = \"a\"\nlanguages = [\"c\"]\nkind = \"syntax\"\nreason = \"r\"\n"
                   "names = [\"import_statement\"]",
            "'import_statement' is no node of the grammar of c"},
           {rule + "id = \"a\"\nlanguages = [\"c\"]\nkind = \"attribute-on-constant\"\n"
                   "reason = \"r\"\nnames = [\"x\"]",
            "takes no names"},
           {with(whole, "reason = \"r\"\n") + whole.substr(10) + "reason = \"r\"\n",
            "a second rule 'a' for python"}}) {
    const Result<RuleSet> rules = parse_rules(text, "given");
    ASSERT_FALSE(rules.has_value()) << text;
    EXPECT_EQ(rules.error().code, Code::kInvalid);
    EXPECT_THAT(rules.error().message, HasSubstr(message)) << text;
    EXPECT_THAT(rules.error().message, HasSubstr("screening rules 'given'"));
  }
}

}  // namespace
}  // namespace belljar::screen
