#include "engine/output_difference.h"

#include <algorithm>

#include "base/text.h"

namespace belljar::engine {
namespace {

constexpr std::string_view kWhite = " \t\r\v\f";
constexpr std::size_t kShownBytes = 60;   // of a line
constexpr std::size_t kBytesBefore = 20;  // of them before the difference

std::string_view without_end(std::string_view text, std::string_view white) {
  const std::size_t last = text.find_last_not_of(white);
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

// Takes a text apart line by line; a last line without its line end is a line too.
class Lines {
 public:
  Lines(std::string_view text, Compare how) : text_(text), how_(how) {
    if (how == Compare::kLenient) text_ = without_end(text, " \t\r\v\f\n");
    done_ = text_.empty();
  }

  std::optional<std::string_view> next() {
    if (done_) return std::nullopt;
    const std::size_t end = text_.find('\n');
    const std::string_view line = text_.substr(0, end);
    if (how_ == Compare::kExact) {
      // The line end stays on, so that a missing one is seen.
      const std::string_view with_end = text_.substr(0, end == text_.npos ? end : end + 1);
      text_.remove_prefix(with_end.size());
      done_ = text_.empty();
      return with_end;
    }
    done_ = end == std::string_view::npos;
    if (!done_) text_.remove_prefix(end + 1);
    return without_end(line, kWhite);
  }

 private:
  std::string_view text_;
  Compare how_;
  bool done_;
};

std::optional<std::string> owned(std::optional<std::string_view> line) {
  return line ? std::optional<std::string>(*line) : std::nullopt;
}

std::string shown(const std::optional<std::string>& line, std::size_t from) {
  if (!line) return "the end";
  std::string_view part = std::string_view(*line).substr(std::min(from, line->size()));
  // Not in the middle of a UTF-8 character.
  while (from > 0 && !part.empty() && (static_cast<unsigned char>(part.front()) & 0xC0) == 0x80)
    part.remove_prefix(1);
  const bool cut = part.size() > kShownBytes;
  if (cut) part = cut_utf8(part, kShownBytes);
  return (from > 0 ? "..." : "") + quote(part) + (cut ? "..." : "");
}

}  // namespace

std::optional<OutputDifference> first_difference(std::string_view expected,
                                                 std::string_view got,
                                                 Compare how) {
  Lines wanted(expected, how);
  Lines given(got, how);
  for (std::size_t line = 1;; ++line) {
    const auto a = wanted.next();
    const auto b = given.next();
    if (!a && !b) return std::nullopt;
    if (a != b) return OutputDifference{.line = line, .expected = owned(a), .got = owned(b)};
  }
}

std::string_view verdict_name(RunStatus status, bool differs) {
  if (status != RunStatus::kOk) return to_string(status);
  return differs ? "wrong_answer" : "pass";
}

std::string to_string(const OutputDifference& difference) {
  std::size_t from = 0;
  if (difference.expected && difference.got) {
    const auto [a, b] = std::ranges::mismatch(*difference.expected, *difference.got);
    const auto same = static_cast<std::size_t>(a - difference.expected->begin());
    if (same > kShownBytes - kBytesBefore) from = same - kBytesBefore;
  }
  return "line " + std::to_string(difference.line) + ": expected " +
         shown(difference.expected, from) + ", got " + shown(difference.got, from);
}

}  // namespace belljar::engine
