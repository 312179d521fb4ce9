#include "app/help.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/invocation.h"
#include "base/text.h"
#include "model/policy.h"
#include "model/wall.h"

namespace belljar::app {
namespace {

constexpr std::size_t kColumns = 90;
constexpr std::size_t kHelpColumn = 30;
constexpr std::size_t kSummaryColumn = 14;

// Breaks at spaces so that no line passes kColumns. The first line starts at column `indent`
// already, the others are indented by as much.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    const bool first = column == indent;
    if (!first && column + 1 + word.size() > kColumns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    if (end < text.size() && text[end] == '\n') {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string row(std::string_view left, std::string_view right, std::size_t column = kHelpColumn) {
  std::string line = fmt::format("  {:<{}}", left, column - 2);
  if (left.size() + 3 > column) line = fmt::format("  {}\n{:{}}", left, "", column);
  return line + wrapped(right, column) + "\n";
}

std::string limits_text() {
  std::string text = "\nLimits (--limit wall=2s,memory=128M):\n";
  for (const LimitField& field : limit_fields()) text += row(field.name, field.help);
  return text;
}

std::string exit_codes_text() {
  std::string text = "\nExit codes:\n";
  for (const ExitCodeRow& code : exit_code_table()) text += row(code.code, code.meaning);
  return text + "A program may exit with any of these by itself: for certainty read --json.\n";
}

}  // namespace

std::string synopsis(const CommandSpec& command) {
  std::string text = "belljar " + std::string(command.name);
  if (command.options.size() > 1) text += " [OPTION...]";
  if (!command.operands.empty()) text += " " + std::string(command.operands);
  return text;
}

std::string option_text(const OptionSpec& option) {
  std::string text = "--" + std::string(option.name);
  if (!option.value.empty()) text += " " + std::string(option.value);
  return text;
}

std::string overview_text() {
  std::string text =
      "Belljar runs programs that nobody trusts, sealed by the Linux kernel, and reports what "
      "happened.\n\nUsage: belljar COMMAND [OPTION...] [OPERAND...]\n\nCommands:\n";
  for (const CommandSpec& command : commands())
    text += row(command.name, command.summary, kSummaryColumn);
  text += row("--version", "print the version", kSummaryColumn);
  return text +
         "\nTo begin:\n"
         "  belljar run hello.py\n"
         "  belljar run --limit wall=2s,memory=64M prog.cpp < input.txt\n"
         "  belljar doctor\n"
         "\nbelljar help COMMAND explains one command and its options.\n";
}

std::string command_text(const CommandSpec& command) {
  std::string text = "Usage: " + synopsis(command) + "\n";
  const std::string_view about =
      command.description.empty() ? command.summary : command.description;
  text += "\n" + wrapped(about, 0) + "\n";
  if (command.options.front().group.empty()) text += "\nOptions:\n";
  for (const OptionSpec& option : command.options) {
    if (!option.group.empty()) text += "\n" + std::string(option.group) + ":\n";
    text += row(option_text(option), option.help);
  }
  if (command.rest_is_programs) text += limits_text() + exit_codes_text();
  return text;
}

std::string version_text() {
  return "belljar " BELLJAR_VERSION "\n";
}

Result<int> help_command(Invocation& invocation) {
  const auto& operands = invocation.arguments.operands();
  const CommandSpec* const command = operands.empty() ? nullptr : find_command(operands.front());
  if (!operands.empty() && command == nullptr)
    return fail(Code::kInvalid, "no command is called " + quote(operands.front()));
  TRY(write_patiently(STDOUT_FILENO,
                      command == nullptr ? overview_text() : command_text(*command)));
  return kExitOk;
}

}  // namespace belljar::app
