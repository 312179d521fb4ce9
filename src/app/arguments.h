// Arguments: the words of one command line, sorted by an option table.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "app/options.h"
#include "base/result.h"

namespace belljar::app {

// Views into argv. Asking for an option that the command's table does not have is a bug.
class Arguments {
 public:
  // `words` begins after the command's name. kInvalid names the option or the operand. With --help
  // nothing else is asked for: the operands may be missing.
  static Result<Arguments> parse(const CommandSpec& command,
                                 std::span<const std::string_view> words);

  [[nodiscard]] bool has(std::string_view option) const;
  // Whether the command's table has it.
  [[nodiscard]] bool knows(std::string_view option) const { return find(option) != nullptr; }
  [[nodiscard]] std::optional<std::string_view> value(std::string_view option) const;
  [[nodiscard]] std::vector<std::string_view> values(std::string_view option) const;
  [[nodiscard]] const std::vector<std::string_view>& operands() const { return operands_; }
  // True when a "--" said that what follows the first operand is the program's.
  [[nodiscard]] bool separated() const { return separated_; }

 private:
  explicit Arguments(const CommandSpec& command) : command_(&command) {}

  // How many of `words` the option took.
  Result<std::size_t> take_option(std::span<const std::string_view> words);
  void take_operands(std::span<const std::string_view> words);
  Status check_operands() const;
  [[nodiscard]] const OptionSpec* find(std::string_view option) const;

  const CommandSpec* command_;
  std::vector<std::pair<const OptionSpec*, std::string_view>> options_;
  std::vector<std::string_view> operands_;
  bool separated_ = false;
};

}  // namespace belljar::app
