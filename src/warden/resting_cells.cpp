#include "warden/resting_cells.h"

#include <utility>

namespace belljar::warden {

Status RestingCells::put(CellName name, std::unique_ptr<CellRun>& cell) {
  const std::uint64_t number = ++last_number_;
  for (const int fd : cell->waits()) {
    const Status added = watch_.add(fd, number);
    if (added) continue;
    for (const int other : cell->waits()) watch_.remove(other);
    return added;
  }
  names_.emplace(number, name);
  cells_.emplace(name, Place{.cell = std::move(cell), .number = number});
  return {};
}

std::unique_ptr<CellRun> RestingCells::take(CellName name) {
  const auto place = cells_.find(name);
  if (place == cells_.end()) return nullptr;
  std::unique_ptr<CellRun> cell = std::move(place->second.cell);
  for (const int fd : cell->waits()) watch_.remove(fd);
  names_.erase(place->second.number);
  cells_.erase(place);
  return cell;
}

std::vector<CellName> RestingCells::heard() const {
  std::vector<CellName> names;
  for (const std::uint64_t number : watch_.hear()) {
    const auto name = names_.find(number);
    if (name != names_.end()) names.push_back(name->second);
  }
  return names;
}

std::vector<CellName> RestingCells::of(std::uint64_t connection) const {
  std::vector<CellName> names;
  for (auto at = cells_.lower_bound({.connection = connection, .id = 0});
       at != cells_.end() && at->first.connection == connection; ++at) {
    names.push_back(at->first);
  }
  return names;
}

std::vector<CellName> RestingCells::all() const {
  std::vector<CellName> names;
  for (const auto& [name, place] : cells_) names.push_back(name);
  return names;
}

}  // namespace belljar::warden
