#include "app/test_cases.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>
#include <system_error>

#include "base/text.h"

namespace belljar::app {
namespace {

constexpr std::string_view kInput = ".in";
constexpr std::string_view kOutput = ".out";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The run of digits at the front, without leading zeros.
std::string_view take_number(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  std::string_view number = text.substr(0, end);
  text.remove_prefix(end);
  while (number.size() > 1 && number.front() == '0') number.remove_prefix(1);
  return number;
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view number_a = take_number(a);
      const std::string_view number_b = take_number(b);
      if (number_a.size() != number_b.size()) return number_a.size() < number_b.size();
      if (number_a != number_b) return number_a < number_b;
    } else {
      if (a.front() != b.front()) return a.front() < b.front();
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  if (a.empty() != b.empty()) return a.empty();
  // Equal but for leading zeros: any fixed order will do.
  return whole_a < whole_b;
}

Result<std::vector<TestCase>> find_test_cases(const std::string& directory) {
  std::error_code error;
  std::set<std::string> inputs;
  std::set<std::string> outputs;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.')) continue;
    if (name.ends_with(kInput)) inputs.insert(name.substr(0, name.size() - kInput.size()));
    if (name.ends_with(kOutput)) outputs.insert(name.substr(0, name.size() - kOutput.size()));
  }
  if (error) return fail(Code::kInvalid, "--tests " + quote(directory) + ": " + error.message());
  for (const std::string& name : inputs) {
    if (!outputs.contains(name)) {
      return fail(Code::kInvalid, "--tests " + quote(directory) + ": " + quote(name + ".in") +
                                      " has no " + quote(name + ".out"));
    }
  }
  if (outputs.empty())
    return fail(Code::kInvalid, "--tests " + quote(directory) + ": there is no NAME.out");
  std::vector<TestCase> cases;
  for (const std::string& name : outputs) {
    TestCase test{.name = name, .input = {}, .expected = directory + "/" + name + ".out"};
    if (inputs.contains(name)) test.input = directory + "/" + name + ".in";
    cases.push_back(std::move(test));
  }
  std::ranges::sort(cases, natural_less, &TestCase::name);
  return cases;
}

}  // namespace belljar::app
