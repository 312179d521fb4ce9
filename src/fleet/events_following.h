// EventsFollowing: reads one subject of the stream of events from its first message on, in the
// order in which the servers stored them.
//
// Runs in: gateway.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "engine/runner.h"
#include "fleet/jetstream.h"

namespace belljar::fleet {

class EventsFollowing : public engine::Following {
 public:
  // `tell` gets each message; what it cannot read it drops.
  EventsFollowing(JetStream& stream,
                  std::string subject,
                  std::function<void(const std::string& data)> tell);
  void catch_up() override;

 private:
  JetStream& stream_;
  const std::string subject_;
  const std::function<void(const std::string& data)> tell_;
  std::mutex mutex_;
  std::uint64_t next_ = 1;
};

}  // namespace belljar::fleet
