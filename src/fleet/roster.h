// Roster: who is there of a fleet, as workers and gateways say of themselves, and what follows from
// that: where a run can go, and what its caller has elsewhere.
//
// Not safe from several threads. Who has said nothing for a while is not there.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/units.h"
#include "fleet/messages.h"

namespace belljar::fleet {

class Roster {
 public:
  void hear(WorkerState state, Nanoseconds now);
  void hear(GatewayState state, Nanoseconds now);
  // Workers that were not heard for so long that nobody asks for them any more.
  void forget_gone(Nanoseconds now);

  // Draining or not.
  [[nodiscard]] bool knows_any() const { return !workers_.empty(); }
  [[nodiscard]] bool is_gone(const std::string& worker, Nanoseconds now) const;

  // Of those with the language (empty: any) and all of the labels, the pool of the worker that has
  // the most room.
  [[nodiscard]] std::optional<std::string> pool_for(const std::string& language,
                                                    const Labels& labels,
                                                    Nanoseconds now) const;
  // The worker with the most room, or where all are full the one with the shortest line for its
  // size. It has less of that then, until it says so itself or gets it back; nullopt: as many wait
  // everywhere as can run.
  std::optional<std::string> take_room(const std::string& language,
                                       const Labels& labels,
                                       Nanoseconds now);
  void give_back_room(const std::string& worker);

  struct Workers {
    std::size_t count = 0;
    std::uint64_t capacity = 0;
    std::uint64_t running = 0;
  };
  // Those that take runs.
  [[nodiscard]] Workers workers(Nanoseconds now) const;
  // At other gateways.
  [[nodiscard]] GatewayState::Caller elsewhere(const std::string& caller, Nanoseconds now) const;

 private:
  struct Worker {
    WorkerState state;
    Nanoseconds heard{};
    std::int64_t given = 0;  // sent since, less those that ended
    [[nodiscard]] bool takes(const std::string& language,
                             const Labels& labels,
                             Nanoseconds now) const;
    [[nodiscard]] bool is_there(Nanoseconds now) const;
    [[nodiscard]] std::int64_t free() const;  // as it said itself; below zero: so many wait there
    // What is sent now would have so much; -1: as many are in line as can run.
    [[nodiscard]] double room() const;
  };
  struct Gateway {
    GatewayState state;
    Nanoseconds heard{};
  };

  std::map<std::string, Worker> workers_;
  std::map<std::string, Gateway> gateways_;
};

}  // namespace belljar::fleet
