#include "runtime/template.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.h"

namespace belljar::runtime {
namespace {

constexpr std::array<std::pair<std::string_view, Slot>, 10> kNames{{
    {"entry", Slot::kEntry},
    {"stem", Slot::kStem},
    {"dir", Slot::kDir},
    {"sources", Slot::kSources},
    {"args", Slot::kArgs},
    {"memory_mb", Slot::kMemoryMb},
    {"cpus", Slot::kCpus},
    {"linker", Slot::kLinker},
    {"header", Slot::kHeader},
    {"output", Slot::kOutput},
}};

std::optional<Piece> parse_name(std::string_view name) {
  constexpr std::string_view kTool = "tool";
  if (name == kTool) return Piece{.slot = Slot::kTool, .text = std::string(kTool)};
  if (name.starts_with("tool:") && name.size() > kTool.size() + 1) {
    return Piece{.slot = Slot::kTool, .text = std::string(name.substr(kTool.size() + 1))};
  }
  for (const auto& [known, slot] : kNames) {
    if (name == known) return Piece{.slot = slot, .text = {}};
  }
  return std::nullopt;
}

bool stands_alone(const Piece& piece) {
  return piece.slot == Slot::kSources || piece.slot == Slot::kArgs || piece.slot == Slot::kLinker;
}

}  // namespace

Result<std::vector<Piece>> parse_template(std::string_view argument) {
  std::vector<Piece> pieces;
  std::string_view rest = argument;
  while (!rest.empty()) {
    const std::size_t brace = rest.find('{');
    if (brace != 0) {
      pieces.push_back({.slot = Slot::kText, .text = std::string(rest.substr(0, brace))});
      if (brace == std::string_view::npos) break;
      rest.remove_prefix(brace);
    }
    const std::size_t close = rest.find('}');
    const std::string_view whole =
        rest.substr(0, close == std::string_view::npos ? close : close + 1);
    const auto piece = close == std::string_view::npos
                           ? std::nullopt
                           : parse_name(whole.substr(1, whole.size() - 2));
    if (!piece) return fail(Code::kInvalid, "unknown template " + quote(whole));
    pieces.push_back(*piece);
    rest.remove_prefix(whole.size());
  }
  if (pieces.size() > 1 && std::ranges::any_of(pieces, stands_alone)) {
    return fail(
        Code::kInvalid,
        quote(argument) + ": {sources}, {args} and {linker} must be arguments of their own");
  }
  return pieces;
}

bool uses(const std::vector<std::string>& argv, Slot slot) {
  return std::ranges::any_of(argv, [&](const std::string& argument) {
    const auto pieces = parse_template(argument);
    return pieces && std::ranges::any_of(*pieces, [&](const Piece& p) { return p.slot == slot; });
  });
}

}  // namespace belljar::runtime
