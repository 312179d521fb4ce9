// InputReceiver: the other end of an InputSender: takes each frame once and in order, and gives the
// program its stdin through a pipe, as fast as it reads.
//
// Runs in: worker of a fleet. Every member may be called from any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "fleet/messages.h"

namespace belljar::fleet {

class InputReceiver {
 public:
  // What it tells: the frames that came, and the bytes that are in the pipe or out of it.
  using Tell = std::function<void(std::uint64_t frames, std::uint64_t written)>;
  using Control = std::function<void(const engine::InputControl&)>;
  static Result<std::unique_ptr<InputReceiver>> make(Tell tell, Control control);
  ~InputReceiver();
  InputReceiver(const InputReceiver&) = delete;
  InputReceiver& operator=(const InputReceiver&) = delete;

  // The read end, which it keeps.
  [[nodiscard]] int input() const { return read_.get(); }
  // One that came before, or before its turn, or for which there is no room, is not taken: it is
  // sent again.
  void take(const InputFrame& frame);

 private:
  InputReceiver(Fd read, Fd write, Tell tell, Control control);
  void work(const std::stop_token& stop);
  bool write_some(std::string& piece);

  const Fd read_;
  Fd write_;
  const Tell tell_;
  const Control control_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t frames_ = 0;
  std::uint64_t written_ = 0;
  std::string held_;  // of stdin, that the pipe has no room for
  bool ends_ = false;
  // Last: it uses what stands above.
  std::jthread thread_;
};

}  // namespace belljar::fleet
