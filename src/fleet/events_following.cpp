#include "fleet/events_following.h"

#include <utility>

#include "fleet/subjects.h"

namespace belljar::fleet {

EventsFollowing::EventsFollowing(JetStream& stream,
                                 std::string subject,
                                 std::function<void(const std::string& data)> tell)
    : stream_(stream), subject_(std::move(subject)), tell_(std::move(tell)) {}

void EventsFollowing::catch_up() {
  const std::lock_guard lock(mutex_);
  while (true) {
    const auto stored = stream_.get(kEventsStream, subject_, next_);
    if (!stored) return;  // no more, or NATS is away and the next time brings it
    next_ = stored->number + 1;
    tell_(stored->data);
  }
}

}  // namespace belljar::fleet
