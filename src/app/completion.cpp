#include "app/completion.h"

#include <fmt/format.h>
#include <unistd.h>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/invocation.h"
#include "base/text.h"
#include "model/builtin_policies.h"
#include "model/policy.h"
#include "model/wall.h"
#include "runtime/catalog.h"

namespace belljar::app {
namespace {

constexpr std::string_view kShells = "bash, zsh, fish";

std::string spaced(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

std::string command_names(std::span<const CommandSpec> commands) {
  std::string names;
  for (const CommandSpec& command : commands) names += std::string(command.name) + " ";
  return names + "--help --version";
}

// What fills COMPREPLY; empty where bash's own completion of file names does.
std::string bash_action(Completes kind, const CompletionWords& words) {
  if (kind == Completes::kDirectory) {
    return "compopt -o filenames; COMPREPLY=($(compgen -d -- \"$cur\"))";
  }
  const std::vector<std::string> known = words_for(kind, words);
  if (known.empty()) return {};
  const std::string_view no_space = kind == Completes::kLimit ? "compopt -o nospace; " : "";
  return fmt::format("{}COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", no_space, spaced(known));
}

// The command's options, what each one's value is, and its first operand.
std::string bash_command(const CommandSpec& command, const CompletionWords& words) {
  std::string values;
  std::string names;
  std::string taking;
  for (const OptionSpec& option : command.options) {
    names += fmt::format("{}--{}", names.empty() ? "" : " ", option.name);
    if (option.value.empty()) continue;
    taking += fmt::format("{}--{}", taking.empty() ? "" : "|", option.name);
    const std::string action = bash_action(option.completes, words);
    values += fmt::format("        --{}) {}return ;;\n", option.name,
                          action.empty() ? "" : action + "; ");
  }
  std::string text = fmt::format("    {})\n", command.name);
  // An operand before the cursor: options are over, file names follow. Bash parts words at "=".
  text +=
      "      for ((i = 2; i < COMP_CWORD; i++)); do\n"
      "        case ${COMP_WORDS[i]} in\n"
      "          =) ((i++)) ;;\n";
  if (!taking.empty())
    text += fmt::format("          {}) [[ ${{COMP_WORDS[i+1]}} == = ]] || ((i++)) ;;\n", taking);
  text +=
      "          -?*) ;;\n"
      "          *) return ;;\n"
      "        esac\n"
      "      done\n";
  if (!values.empty()) text += "      case $prev in\n" + values + "      esac\n";
  text += fmt::format(
      "      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return; fi\n",
      names);
  if (const std::string action = bash_action(command.completes, words); !action.empty())
    text += "      " + action + "\n";
  return text + "      ;;\n";
}

std::string bash_script(std::span<const CommandSpec> commands, const CompletionWords& words) {
  std::string text = fmt::format(
      "# bash completion for belljar\n"
      "_belljar() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} i\n"
      "  [[ $prev == = ]] && prev=${{COMP_WORDS[COMP_CWORD-2]}}\n"
      "  [[ $cur == = ]] && cur=\n"
      "  COMPREPLY=()\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    COMPREPLY=($(compgen -W '{}' -- \"$cur\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${{COMP_WORDS[1]}} in\n",
      command_names(commands));
  for (const CommandSpec& command : commands) text += bash_command(command, words);
  return text +
         "  esac\n"
         "}\n"
         "complete -o bashdefault -o default -F _belljar belljar\n";
}

std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// Brackets and colons part the fields of a zsh specification.
std::string zsh_field(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(Completes kind, const CompletionWords& words) {
  if (kind == Completes::kFile) return "_files";
  if (kind == Completes::kDirectory) return "_files -/";
  const std::vector<std::string> known = words_for(kind, words);
  if (known.empty()) return " ";
  if (kind == Completes::kLimit) return "compadd -S \"\" -- " + spaced(known);
  return "(" + spaced(known) + ")";
}

std::string zsh_command(const CommandSpec& command, const CompletionWords& words) {
  // -S: nothing after -- is an option.
  std::string text = fmt::format("    {})\n      _arguments -S", command.name);
  for (const OptionSpec& option : command.options) {
    std::string spec = option.repeat == Repeat::kYes ? "*" : "";
    spec += fmt::format("--{}{}[{}]", option.name, option.value.empty() ? "" : "=",
                        zsh_field(option.help));
    if (!option.value.empty())
      spec += fmt::format(":{}:{}", zsh_field(option.value), zsh_action(option.completes, words));
    text += " \\\n        " + single_quoted(spec);
  }
  if (command.most_operands > 0) {
    const std::string what =
        "1:" + zsh_field(command.operands) + ":" + zsh_action(command.completes, words);
    text += " \\\n        " + single_quoted(what);
  }
  if (command.rest_is_programs) text += " \\\n        '*:::argument:_files'";
  return text + "\n      ;;\n";
}

std::string zsh_script(std::span<const CommandSpec> commands, const CompletionWords& words) {
  std::string text =
      "#compdef belljar\n"
      "_belljar() {\n"
      "  local -a commands=(\n";
  for (const CommandSpec& command : commands) {
    text += "    " + single_quoted(fmt::format("{}:{}", command.name, zsh_field(command.summary))) +
            "\n";
  }
  text +=
      "  )\n"
      "  if ((CURRENT == 2)); then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words\n"
      "  ((CURRENT--))\n"
      "  case $command in\n";
  for (const CommandSpec& command : commands) text += zsh_command(command, words);
  return text +
         "  esac\n"
         "}\n"
         "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
         "  _belljar \"$@\"\n"
         "else\n"
         "  compdef _belljar belljar\n"
         "fi\n";
}

std::string fish_value(const OptionSpec& option, const CompletionWords& words) {
  if (option.value.empty()) return {};
  if (option.completes == Completes::kFile) return " -r -F";
  if (option.completes == Completes::kDirectory) return " -x -a '(__fish_complete_directories)'";
  const std::vector<std::string> known = words_for(option.completes, words);
  return known.empty() ? " -x" : " -x -a " + single_quoted(spaced(known));
}

std::string fish_script(std::span<const CommandSpec> commands, const CompletionWords& words) {
  std::string text = "# fish completion for belljar\ncomplete -c belljar -f\n";
  for (const CommandSpec& command : commands) {
    text += fmt::format("complete -c belljar -n __fish_use_subcommand -a {} -d {}\n", command.name,
                        single_quoted(command.summary));
  }
  for (const CommandSpec& command : commands) {
    const std::string when =
        fmt::format("complete -c belljar -n '__fish_seen_subcommand_from {}'", command.name);
    for (const OptionSpec& option : command.options) {
      text += fmt::format("{} -l {}{} -d {}\n", when, option.name, fish_value(option, words),
                          single_quoted(option.help));
    }
    const std::vector<std::string> known = words_for(command.completes, words);
    if (command.completes == Completes::kFile) text += when + " -F\n";
    if (!known.empty()) text += fmt::format("{} -a {}\n", when, single_quoted(spaced(known)));
  }
  return text;
}

Result<CompletionWords> known_words() {
  CompletionWords words;
  TRY_ASSIGN(const runtime::Catalog catalog, runtime::Catalog::open(""));
  words.languages = catalog.names();
  for (const std::string_view name : builtin_policy_names()) words.policies.emplace_back(name);
  for (const LimitField& field : limit_fields())
    words.limits.push_back(std::string(field.name) + "=");
  words.walls = WallSet::full().names();
  words.walls.insert(words.walls.begin(), "FULL");
  return words;
}

}  // namespace

std::vector<std::string> words_for(Completes kind, const CompletionWords& words) {
  switch (kind) {
    case Completes::kLanguage:
      return words.languages;
    case Completes::kPolicy:
      return words.policies;
    case Completes::kLimit:
      return words.limits;
    case Completes::kWall:
      return words.walls;
    case Completes::kShell:
      return {"bash", "zsh", "fish"};
    case Completes::kCommand: {
      std::vector<std::string> names;
      for (const CommandSpec& command : commands()) names.emplace_back(command.name);
      return names;
    }
    case Completes::kNothing:
    case Completes::kFile:
    case Completes::kDirectory:
      return {};
  }
  return {};
}

Result<std::string> completion_script(std::string_view shell,
                                      std::span<const CommandSpec> commands,
                                      const CompletionWords& words) {
  if (shell == "bash") return bash_script(commands, words);
  if (shell == "zsh") return zsh_script(commands, words);
  if (shell == "fish") return fish_script(commands, words);
  return fail(Code::kInvalid,
              "no shell is called " + quote(shell) + "; there are " + std::string(kShells));
}

Result<int> completion_command(Invocation& invocation) {
  TRY_ASSIGN(const CompletionWords words, known_words());
  TRY_ASSIGN(const std::string script,
             completion_script(invocation.arguments.operands().front(), commands(), words));
  TRY(write_patiently(STDOUT_FILENO, script));
  return kExitOk;
}

}  // namespace belljar::app
