// RestingCells: cells of sessions that have been paused for a while. There may be thousands, and
// nothing is ever due in them: all that one can still tell is its end.
//
// Runs in: warden.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/result.h"
#include "warden/cell_run.h"
#include "warden/watch.h"

namespace belljar::warden {

// A cell is named by its connection and by the client's id for it.
struct CellName {
  std::uint64_t connection = 0;
  std::uint64_t id = 0;
  auto operator<=>(const CellName&) const = default;
};

class RestingCells {
 public:
  // Once, before anything else.
  Status open() { return watch_.open(); }
  // Readable when one of them has something to say.
  [[nodiscard]] int fd() const { return watch_.fd(); }
  // Takes it, unless it cannot be watched.
  Status put(CellName name, std::unique_ptr<CellRun>& cell);
  // Null when it is not here.
  std::unique_ptr<CellRun> take(CellName name);
  // Those that have something to say.
  [[nodiscard]] std::vector<CellName> heard() const;
  [[nodiscard]] std::vector<CellName> of(std::uint64_t connection) const;
  [[nodiscard]] std::vector<CellName> all() const;
  [[nodiscard]] std::size_t size() const { return cells_.size(); }

 private:
  struct Place {
    std::unique_ptr<CellRun> cell;
    std::uint64_t number = 0;  // in watch_
  };
  Watch watch_;
  std::map<CellName, Place> cells_;
  std::map<std::uint64_t, CellName> names_;  // by number
  std::uint64_t last_number_ = 0;            // never used twice
};

}  // namespace belljar::warden
