#include "app/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <initializer_list>

namespace belljar::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::array kOptions{
    OptionSpec{"file", "PATH", "a file", Completes::kFile, Repeat::kYes},
    OptionSpec{"policy", "NAME", "a policy"},
    OptionSpec{"json", "", "a switch"},
    OptionSpec{"help", "", "help"},
};
constexpr CommandSpec kRun{.name = "run",
                           .summary = "",
                           .operands = "FILE",
                           .description = "",
                           .options = kOptions,
                           .least_operands = 1,
                           .most_operands = 100,
                           .rest_is_programs = true};
constexpr CommandSpec kList{.name = "list",
                            .summary = "",
                            .operands = "[NAME]",
                            .description = "",
                            .options = kOptions,
                            .most_operands = 1};

Result<Arguments> parse(const CommandSpec& command, std::initializer_list<std::string_view> words) {
  const std::vector<std::string_view> list(words);
  return Arguments::parse(command, list);
}

std::string error_of(const CommandSpec& command, std::initializer_list<std::string_view> words) {
  const auto arguments = parse(command, words);
  if (arguments) return "no error";
  EXPECT_EQ(arguments.error().code, Code::kInvalid);
  return arguments.error().message;
}

TEST(Arguments, TakesValuesAfterASpaceOrAnEqualsSign) {
  const auto arguments = parse(kRun, {"--policy", "strict", "--file=a=b", "--file", "c", "x.py"});
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->value("policy"), "strict");
  EXPECT_THAT(arguments->values("file"), ElementsAre("a=b", "c"));
  EXPECT_FALSE(arguments->has("json"));
  EXPECT_THAT(arguments->operands(), ElementsAre("x.py"));
}

TEST(Arguments, LeavesEverythingAfterTheProgramAlone) {
  const auto arguments = parse(kRun, {"--json", "x.py", "--policy", "-n", "--", "--json=1"});
  ASSERT_TRUE(arguments);
  EXPECT_TRUE(arguments->has("json"));
  EXPECT_FALSE(arguments->has("policy"));
  EXPECT_FALSE(arguments->separated());
  EXPECT_THAT(arguments->operands(), ElementsAre("x.py", "--policy", "-n", "--", "--json=1"));
}

TEST(Arguments, DropsOneSeparatorDirectlyAfterTheProgram) {
  const auto arguments = parse(kRun, {"x.py", "--", "--", "a"});
  ASSERT_TRUE(arguments);
  EXPECT_TRUE(arguments->separated());
  EXPECT_THAT(arguments->operands(), ElementsAre("x.py", "--", "a"));
}

TEST(Arguments, LetsAProgramBeginWithADash) {
  const auto arguments = parse(kRun, {"--", "-x.py", "--", "a"});
  ASSERT_TRUE(arguments);
  EXPECT_THAT(arguments->operands(), ElementsAre("-x.py", "a"));
}

TEST(Arguments, TakesALoneDashForStandardInput) {
  const auto arguments = parse(kRun, {"-"});
  ASSERT_TRUE(arguments);
  EXPECT_THAT(arguments->operands(), ElementsAre("-"));
}

TEST(Arguments, FindsOptionsAmongTheOperandsOfOtherCommands) {
  const auto arguments = parse(kList, {"name", "--json"});
  ASSERT_TRUE(arguments);
  EXPECT_TRUE(arguments->has("json"));
  EXPECT_THAT(arguments->operands(), ElementsAre("name"));
}

TEST(Arguments, NamesWhatIsWrong) {
  EXPECT_THAT(error_of(kRun, {"--nonsense", "x.py"}), HasSubstr("'--nonsense'"));
  EXPECT_THAT(error_of(kRun, {"-j", "x.py"}), HasSubstr("'-j'"));
  EXPECT_THAT(error_of(kRun, {"--policy"}), HasSubstr("--policy needs a value"));
  EXPECT_THAT(error_of(kRun, {"--json=yes", "x.py"}), HasSubstr("--json takes no value"));
  EXPECT_THAT(error_of(kRun, {"--policy", "a", "--policy", "b", "x.py"}), HasSubstr("twice"));
  EXPECT_THAT(error_of(kRun, {"--json"}), HasSubstr("operand is missing"));
  EXPECT_THAT(error_of(kList, {"a", "b"}), HasSubstr("unexpected operand 'b'"));
  EXPECT_THAT(error_of(kList, {"--", "a", "b"}), HasSubstr("unexpected operand 'b'"));
}

TEST(Arguments, NeverAbbreviates) {
  EXPECT_THAT(error_of(kRun, {"--pol", "x", "x.py"}), HasSubstr("'--pol'"));
  EXPECT_THAT(error_of(kRun, {"--policyx", "x", "x.py"}), HasSubstr("'--policyx'"));
}

TEST(Arguments, ShowsControlCharactersOfAWrongOptionAsText) {
  EXPECT_THAT(error_of(kRun, {"--\x1b[31m"}), HasSubstr("\\x1b"));
}

TEST(Arguments, AsksForNothingElseWhenHelpIsWanted) {
  const auto arguments = parse(kRun, {"-h"});
  ASSERT_TRUE(arguments);
  EXPECT_TRUE(arguments->has("help"));
  EXPECT_THAT(arguments->operands(), IsEmpty());
}

TEST(Options, EveryCommandCanBeFoundAndOffersHelp) {
  for (const CommandSpec& command : commands()) {
    EXPECT_EQ(find_command(command.name), &command);
    ASSERT_FALSE(command.options.empty()) << command.name;
    EXPECT_EQ(command.options.back().name, "help") << command.name;
    for (const OptionSpec& option : command.options)
      EXPECT_FALSE(option.help.ends_with('.')) << option.name;
  }
}

}  // namespace
}  // namespace belljar::app
