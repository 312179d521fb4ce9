#include "ledger/store.h"

#include <array>

namespace belljar::ledger {
namespace {

constexpr std::array<std::string_view, 5> kStateNames = {"queued", "running", "done", "cancelled",
                                                         "lost"};

}  // namespace

std::string_view state_name(State state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

std::optional<State> parse_state(std::string_view name) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i) {
    if (kStateNames[i] == name) return static_cast<State>(i);
  }
  return std::nullopt;
}

}  // namespace belljar::ledger
