#include "app/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/help.h"
#include "app/man_page.h"

namespace belljar::app {
namespace {

using testing::HasSubstr;

const CompletionWords kWords{.languages = {"python", "cpp"},
                             .policies = {"default", "strict"},
                             .limits = {"wall=", "memory="},
                             .walls = {"FULL", "seccomp"}};

TEST(Completion, EveryShellKnowsEveryCommandAndOption) {
  for (const std::string_view shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(shell, commands(), kWords);
    ASSERT_TRUE(script);
    for (const CommandSpec& command : commands()) {
      EXPECT_THAT(*script, HasSubstr(std::string(command.name))) << shell;
      for (const OptionSpec& option : command.options) {
        const std::string_view dashes = shell == "fish" ? "-l " : "--";
        EXPECT_THAT(*script, HasSubstr(std::string(dashes) + std::string(option.name))) << shell;
      }
    }
  }
}

TEST(Completion, OffersTheWordsOfEachKind) {
  for (const std::string_view shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(shell, commands(), kWords);
    ASSERT_TRUE(script);
    for (const std::string_view words :
         {"python cpp", "default strict", "wall= memory=", "FULL seccomp", "bash zsh fish"})
      EXPECT_THAT(*script, HasSubstr(std::string(words))) << shell;
  }
}

TEST(Completion, RefusesAShellItDoesNotKnow) {
  const auto script = completion_script("tcsh", commands(), kWords);
  ASSERT_FALSE(script);
  EXPECT_EQ(script.error().code, Code::kInvalid);
  EXPECT_THAT(script.error().message, HasSubstr("bash, zsh, fish"));
}

TEST(Help, EveryOptionIsExplained) {
  for (const CommandSpec& command : commands()) {
    EXPECT_THAT(overview_text(), HasSubstr(std::string(command.summary)));
    const std::string text = command_text(command);
    for (const OptionSpec& option : command.options)
      EXPECT_THAT(text, HasSubstr(option_text(option))) << command.name;
  }
}

TEST(Help, KeepsToNinetyColumns) {
  for (const CommandSpec& command : commands()) {
    std::string_view text;
    const std::string whole = command_text(command);
    for (text = whole; !text.empty();) {
      const std::string_view line = text.substr(0, text.find('\n'));
      EXPECT_LE(line.size(), 90U) << line;
      text.remove_prefix(std::min(line.size() + 1, text.size()));
    }
  }
}

TEST(ManPage, HoldsEveryOptionAndNoStrayMacro) {
  const std::string page = man_page();
  for (const CommandSpec& command : commands()) {
    for (const OptionSpec& option : command.options) {
      std::string escaped;
      for (const char c : option.name) escaped += c == '-' ? std::string("\\-") : std::string(1, c);
      EXPECT_THAT(page, HasSubstr("\\-\\-" + escaped)) << command.name;
    }
  }
  EXPECT_THAT(page, HasSubstr(".SH EXIT STATUS"));
}

}  // namespace
}  // namespace belljar::app
