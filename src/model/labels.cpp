#include "model/labels.h"

#include <algorithm>

#include "base/text.h"

namespace belljar {
namespace {

#if defined(__x86_64__)
constexpr std::string_view kArchitecture = "x86_64";
#elif defined(__aarch64__)
constexpr std::string_view kArchitecture = "aarch64";
#endif

bool is_small(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_of_value(char c) {
  return is_small(c) || (c >= 'A' && c <= 'Z') || c == '.';
}

}  // namespace

Status check_label(std::string_view name, std::string_view value) {
  if (name.empty() || name.size() > kMostLabelName || !std::ranges::all_of(name, is_small)) {
    return fail(Code::kInvalid, "a label's name must be 1 to " + std::to_string(kMostLabelName) +
                                    " of a-z, 0-9, - and _, not " + quote(cut_utf8(name, 100)));
  }
  if (value.empty() || value.size() > kMostLabelValue || !std::ranges::all_of(value, is_of_value)) {
    return fail(Code::kInvalid, std::string(name) + ": must be 1 to " +
                                    std::to_string(kMostLabelValue) +
                                    " letters, digits, ., - and _");
  }
  return {};
}

Status check_labels(const Labels& labels) {
  if (labels.size() > kMostLabels) {
    return fail(Code::kInvalid, "must be at most " + std::to_string(kMostLabels) + " labels");
  }
  for (const auto& [name, value] : labels) TRY(check_label(name, value));
  return {};
}

Result<Labels> parse_labels(std::string_view text) {
  Labels labels;
  for (const std::string_view each : comma_list(text)) {
    const std::size_t equals = each.find('=');
    if (equals == std::string_view::npos) {
      return fail(Code::kInvalid, "must be NAME=VALUE, by commas");
    }
    const std::string name(each.substr(0, equals));
    if (!labels.emplace(name, each.substr(equals + 1)).second) {
      return fail(Code::kInvalid, quote(cut_utf8(name, 100)) + " stands there twice");
    }
  }
  TRY(check_labels(labels));
  return labels;
}

std::string to_string(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) text += ',';
    text.append(name).append("=").append(value);
  }
  return text;
}

bool has_labels(const Labels& there, const Labels& wanted) {
  return std::ranges::all_of(wanted, [&there](const auto& each) {
    const auto found = there.find(each.first);
    return found != there.end() && found->second == each.second;
  });
}

Labels labels_here(Labels labels) {
  labels.insert_or_assign("arch", std::string(kArchitecture));
  return labels;
}

}  // namespace belljar
