#include "fleet/keyed_threads.h"

#include <string>
#include <utility>

namespace belljar::fleet {

KeyedThreads::KeyedThreads(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    Lane& lane = *lanes_.emplace_back(std::make_unique<Lane>());
    lane.thread = std::jthread([&lane] { serve(lane); });
  }
}

KeyedThreads::~KeyedThreads() {
  for (const auto& lane : lanes_) {
    const std::lock_guard lock(lane->mutex);
    lane->closed = true;
    lane->changed.notify_one();
  }
}

void KeyedThreads::post(std::string_view key, std::function<void()> work) {
  Lane& lane = *lanes_[std::hash<std::string_view>()(key) % lanes_.size()];
  const std::lock_guard lock(lane.mutex);
  lane.work.push_back(std::move(work));
  lane.changed.notify_one();
}

void KeyedThreads::serve(Lane& lane) {
  std::unique_lock lock(lane.mutex);
  while (true) {
    lane.changed.wait(lock, [&lane] { return lane.closed || !lane.work.empty(); });
    if (lane.work.empty()) return;
    const std::function<void()> work = std::move(lane.work.front());
    lane.work.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace belljar::fleet
