#include "app/arguments.h"

#include <string>

#include "base/check.h"
#include "base/text.h"

namespace belljar::app {

Result<Arguments> Arguments::parse(const CommandSpec& command,
                                   std::span<const std::string_view> words) {
  Arguments arguments(command);
  while (!words.empty()) {
    const std::string_view word = words.front();
    // A lone "-" is an operand: standard input.
    if (word.size() < 2 || word.front() != '-') {
      arguments.take_operands(command.rest_is_programs ? words : words.first(1));
      if (command.rest_is_programs) break;
      words = words.subspan(1);
      continue;
    }
    if (word == "--") {
      arguments.take_operands(words.subspan(1));
      break;
    }
    TRY_ASSIGN(const std::size_t taken, arguments.take_option(words));
    words = words.subspan(taken);
  }
  if (!arguments.has("help")) TRY(arguments.check_operands());
  return arguments;
}

Result<std::size_t> Arguments::take_option(std::span<const std::string_view> words) {
  const std::string_view word = words.front();
  if (word == "-h") {
    options_.emplace_back(find("help"), "");
    return 1;
  }
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const OptionSpec* const option = name.starts_with("--") ? find(name.substr(2)) : nullptr;
  const std::string shown = std::string(name);
  if (option == nullptr)
    return fail(Code::kInvalid, "unknown option " + quote(name) + ", see belljar help " +
                                    std::string(command_->name));
  if (option->repeat == Repeat::kNo && !option->value.empty() && has(option->name))
    return fail(Code::kInvalid, shown + " was given twice");
  if (option->value.empty()) {
    if (equals != std::string_view::npos) return fail(Code::kInvalid, shown + " takes no value");
    options_.emplace_back(option, "");
    return 1;
  }
  if (equals != std::string_view::npos) {
    options_.emplace_back(option, word.substr(equals + 1));
    return 1;
  }
  if (words.size() < 2)
    return fail(Code::kInvalid, shown + " needs a value: " + std::string(option->value));
  options_.emplace_back(option, words[1]);
  return 2;
}

void Arguments::take_operands(std::span<const std::string_view> words) {
  if (words.empty()) return;
  operands_.push_back(words.front());
  words = words.subspan(1);
  if (command_->rest_is_programs && !words.empty() && words.front() == "--") {
    separated_ = true;
    words = words.subspan(1);
  }
  operands_.insert(operands_.end(), words.begin(), words.end());
}

Status Arguments::check_operands() const {
  const std::string usage =
      "usage: belljar " + std::string(command_->name) +
      (command_->options.empty() ? "" : " [OPTION...]") +
      (command_->operands.empty() ? "" : " " + std::string(command_->operands));
  if (operands_.size() < command_->least_operands)
    return fail(Code::kInvalid, "an operand is missing; " + usage);
  if (operands_.size() > command_->most_operands)
    return fail(Code::kInvalid,
                "unexpected operand " + quote(operands_[command_->most_operands]) + "; " + usage);
  return {};
}

const OptionSpec* Arguments::find(std::string_view option) const {
  for (const OptionSpec& known : command_->options)
    if (known.name == option) return &known;
  return nullptr;
}

bool Arguments::has(std::string_view option) const {
  return value(option).has_value();
}

std::optional<std::string_view> Arguments::value(std::string_view option) const {
  const OptionSpec* const wanted = find(option);
  CHECK(wanted != nullptr);
  for (const auto& [known, text] : options_)
    if (known == wanted) return text;
  return std::nullopt;
}

std::vector<std::string_view> Arguments::values(std::string_view option) const {
  const OptionSpec* const wanted = find(option);
  CHECK(wanted != nullptr);
  std::vector<std::string_view> found;
  for (const auto& [known, text] : options_)
    if (known == wanted) found.push_back(text);
  return found;
}

}  // namespace belljar::app
