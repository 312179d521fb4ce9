// InputSender: what an interactive run reads, from where its client types into to its worker:
// numbered frames, each sent until the worker has said that it came. No more of stdin is taken from
// the client than may lie at the worker unread.
//
// Runs in: gateway. Every member may be called from any thread.
#pragma once

#include <cstdint>
#include <deque>
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

// Bytes of stdin that may be on their way, or at the worker, and that the program has not taken.
inline constexpr std::size_t kInputWindow = 256 * 1024;

class InputSender {
 public:
  // `input`: the read end of a pipe, borrowed. `send` may lose what it is given. Sends nothing
  // before begin().
  static Result<std::unique_ptr<InputSender>> make(int input,
                                                   std::function<void(const InputFrame&)> send);
  // Sends nothing any more when it has returned.
  ~InputSender();
  InputSender(const InputSender&) = delete;
  InputSender& operator=(const InputSender&) = delete;

  void begin();
  // Between two pieces of stdin, wherever those are: a key that stops a program must not wait until
  // it reads. What is more than a client means is dropped, a kCancel never.
  void control(const engine::InputControl& control);
  // What the worker says it has; as from a stranger.
  void taken(std::uint64_t frames, std::uint64_t written);

 private:
  InputSender(int input, Fd wake, std::function<void(const InputFrame&)> send);
  void work(const std::stop_token& stop);
  [[nodiscard]] bool may_read_locked() const;
  void read_some();
  void push_locked(InputFrame frame);
  void wake();

  const int input_;
  const Fd wake_;
  const std::function<void(const InputFrame&)> send_;
  std::mutex mutex_;
  bool begun_ = false;
  bool ended_ = false;  // its end was sent
  std::uint64_t numbered_ = 0;
  std::uint64_t read_ = 0;      // bytes of stdin
  std::uint64_t written_ = 0;   // of those at the program
  std::deque<InputFrame> out_;  // that the worker has not said it has
  std::size_t controls_ = 0;    // among them
  Nanoseconds sent_{};          // the last time that something of them was sent, or came
  // Last: it uses what stands above.
  std::jthread thread_;
};

}  // namespace belljar::fleet
