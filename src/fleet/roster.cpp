#include "fleet/roster.h"

#include <algorithm>
#include <utility>

#include "fleet/subjects.h"

namespace belljar::fleet {

bool Roster::Worker::is_there(Nanoseconds now) const {
  return !state.draining && now - heard < kWorkerGone;
}

bool Roster::Worker::takes(const std::string& language,
                           const Labels& labels,
                           Nanoseconds now) const {
  const bool knows =
      language.empty() || std::ranges::find(state.languages, language) != state.languages.end();
  return is_there(now) && knows && has_labels(state.labels, labels);
}

std::int64_t Roster::Worker::free() const {
  return static_cast<std::int64_t>(state.capacity) -
         static_cast<std::int64_t>(state.running + state.waiting);
}

double Roster::Worker::room() const {
  const auto left = static_cast<double>(free() - given);
  if (left > 0) return left;
  return state.capacity > 0 ? left / static_cast<double>(state.capacity) : -1;
}

void Roster::hear(WorkerState state, Nanoseconds now) {
  const std::string id = state.id;
  workers_[id] = {.state = std::move(state), .heard = now, .given = 0};
}

void Roster::hear(GatewayState state, Nanoseconds now) {
  const std::string id = state.id;
  gateways_[id] = {.state = std::move(state), .heard = now};
}

void Roster::forget_gone(Nanoseconds now) {
  std::erase_if(workers_,
                [now](const auto& each) { return now - each.second.heard > 10 * kWorkerGone; });
}

bool Roster::is_gone(const std::string& worker, Nanoseconds now) const {
  const auto found = workers_.find(worker);
  return found == workers_.end() || now - found->second.heard > kWorkerGone;
}

std::optional<std::string> Roster::pool_for(const std::string& language,
                                            const Labels& labels,
                                            Nanoseconds now) const {
  const Worker* best = nullptr;
  for (const auto& [id, each] : workers_) {
    if (!each.takes(language, labels, now)) continue;
    if (best == nullptr || each.free() > best->free()) best = &each;
  }
  if (best == nullptr) return std::nullopt;
  return best->state.pool;
}

std::optional<std::string> Roster::take_room(const std::string& language,
                                             const Labels& labels,
                                             Nanoseconds now) {
  Worker* best = nullptr;
  double room = -1;
  for (auto& [id, each] : workers_) {
    if (!each.takes(language, labels, now)) continue;
    const double its = each.room();
    if (its <= room) continue;
    best = &each;
    room = its;
  }
  if (best == nullptr) return std::nullopt;
  ++best->given;
  return best->state.id;
}

void Roster::give_back_room(const std::string& worker) {
  const auto found = workers_.find(worker);
  if (found != workers_.end()) --found->second.given;
}

Roster::Workers Roster::workers(Nanoseconds now) const {
  Workers sum;
  for (const auto& [id, each] : workers_) {
    if (!each.is_there(now)) continue;
    ++sum.count;
    sum.capacity += each.state.capacity;
    sum.running += each.state.running;
  }
  return sum;
}

GatewayState::Caller Roster::elsewhere(const std::string& caller, Nanoseconds now) const {
  GatewayState::Caller sum{.id = caller};
  for (const auto& [id, gateway] : gateways_) {
    if (now - gateway.heard > kGatewayGone) continue;
    for (const GatewayState::Caller& each : gateway.state.callers) {
      if (each.id != caller) continue;
      sum.waiting += each.waiting;
      sum.running += each.running;
    }
  }
  return sum;
}

}  // namespace belljar::fleet
