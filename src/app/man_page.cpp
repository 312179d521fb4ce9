// `belljar man`: the manual page, from the option tables.
#include "app/man_page.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/help.h"
#include "app/invocation.h"
#include "model/policy.h"
#include "model/wall.h"

namespace belljar::app {
namespace {

// Text for roff: a backslash, a dash and a line that begins with a dot would mean something.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool line_start = out.empty() || out.back() == '\n';
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (!out.empty()) out += ".PP\n";
    out += roff(line) + "\n";
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return out;
}

std::string entry(std::string_view tag, std::string_view text) {
  return ".TP\n.B " + roff(tag) + "\n" + roff(text) + "\n";
}

std::string command_section(const CommandSpec& command) {
  std::string text = ".SS " + roff(command.name) + "\n.B " + roff(synopsis(command)) + "\n.PP\n";
  text += paragraphs(command.description.empty() ? command.summary : command.description);
  for (const OptionSpec& option : command.options) {
    if (!option.group.empty()) text += ".PP\n.I " + roff(option.group) + "\n";
    text += entry(option_text(option), option.help);
  }
  return text;
}

}  // namespace

std::string man_page() {
  std::string text = ".TH BELLJAR 1 \"\" \"belljar " BELLJAR_VERSION
                     "\" \"User Commands\"\n"
                     ".SH NAME\nbelljar \\- run programs that nobody trusts, sealed\n"
                     ".SH SYNOPSIS\n";
  for (const CommandSpec& command : commands()) text += ".B " + roff(synopsis(command)) + "\n.br\n";
  text += ".B belljar \\-\\-version\n.SH DESCRIPTION\n";
  text += paragraphs(
      "Belljar runs a program in a cell: namespaces, a root file system of its own, a system-call "
      "filter, Landlock and cgroup limits, put up and read back before the program starts. What "
      "happened is reported from the kernel's own counters.");
  text += ".SH COMMANDS\n";
  for (const CommandSpec& command : commands()) text += command_section(command);
  text +=
      ".SH LIMITS\nThey hold for the cell as a whole. Sizes are written as 100K, 64M or 2G, times "
      "as "
      "250ms, 1.5s or 3m.\n";
  for (const LimitField& field : limit_fields()) text += entry(field.name, field.help);
  text += ".SH WALLS\nNames for\n.BR \\-\\-require ;\n.B FULL\nmeans all of them.\n";
  for (int i = 0; i < kWallCount; ++i) {
    const auto wall = static_cast<Wall>(i);
    text += entry(to_string(wall), explain(wall));
  }
  text += ".SH EXIT STATUS\n";
  for (const ExitCodeRow& code : exit_code_table()) text += entry(code.code, code.meaning);
  text +=
      ".PP\nA program may exit with any of these by itself: for certainty read\n.BR \\-\\-json .\n";
  text += ".SH ENVIRONMENT\n" +
          entry("NO_COLOR", "when set and not empty, nothing is coloured; see also TERM");
  text += ".SH EXAMPLES\n.nf\n" +
          roff(
              "belljar run hello.py\n"
              "belljar run --limit wall=2s,memory=64M --json prog.cpp < input.txt\n"
              "belljar run --tests tests/ solution.py\n"
              "belljar run --artifact '*.png' plot.py\n"
              "belljar run --require FULL untrusted.zip\n") +
          ".fi\n";
  return text;
}

Result<int> man_command(Invocation&) {
  TRY(write_patiently(STDOUT_FILENO, man_page()));
  return kExitOk;
}

}  // namespace belljar::app
