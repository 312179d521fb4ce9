// Options: what each command takes, as data. The parser, the help text, the man page and the shell
// completions all walk these tables, so none of them can drift from another.
//
// They are constants and the parser is small because they lie on the way of `belljar run`, where
// every microsecond counts: building a parser of objects for them costs more than parsing.
#pragma once

#include <span>
#include <string_view>

namespace belljar::app {

// What a shell can offer for a value.
enum class Completes : unsigned char {
  kNothing,
  kFile,
  kDirectory,
  kLanguage,
  kPolicy,
  kLimit,
  kWall,
  kShell,
  kCommand,
};

enum class Repeat : unsigned char { kNo, kYes };

struct OptionSpec {
  std::string_view name;   // without its dashes
  std::string_view value;  // what the value is called; empty: a switch
  std::string_view help;   // one sentence, no full stop
  Completes completes = Completes::kNothing;
  Repeat repeat = Repeat::kNo;
  std::string_view group = {};  // heading of this and the following options
};

struct CommandSpec {
  std::string_view name;
  std::string_view summary;   // one line, no full stop
  std::string_view operands;  // as in the synopsis
  std::string_view description;
  std::span<const OptionSpec> options;
  std::size_t least_operands = 0;
  std::size_t most_operands = 0;
  // Everything from the second operand on belongs to the program and is not looked at.
  bool rest_is_programs = false;
  Completes completes = Completes::kNothing;  // its first operand
};

std::span<const CommandSpec> commands();
// Null when there is none.
const CommandSpec* find_command(std::string_view name);

}  // namespace belljar::app
