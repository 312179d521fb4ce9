// KeyedThreads: a few threads for work that comes in order per key: what has one key is done one
// after the other, what has another key beside it.
//
// Every member may be called from any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

namespace belljar::fleet {

class KeyedThreads {
 public:
  explicit KeyedThreads(std::size_t count);
  // What was posted is done before it returns.
  ~KeyedThreads();
  KeyedThreads(const KeyedThreads&) = delete;
  KeyedThreads& operator=(const KeyedThreads&) = delete;

  void post(std::string_view key, std::function<void()> work);

 private:
  struct Lane {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> work;
    bool closed = false;
    std::jthread thread;
  };
  static void serve(Lane& lane);
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace belljar::fleet
