// Fd: owns one file descriptor. The only way in is adopt(); there is no implicit way out.
#pragma once

#include <unistd.h>

#include <utility>

namespace belljar {

class Fd {
 public:
  Fd() = default;
  static Fd adopt(int raw) { return Fd(raw); }

  Fd(Fd&& other) noexcept : raw_(std::exchange(other.raw_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      raw_ = std::exchange(other.raw_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] bool valid() const { return raw_ >= 0; }
  // Borrowed for the length of a call; the Fd stays the owner.
  [[nodiscard]] int get() const { return raw_; }
  // Gives the descriptor away.
  [[nodiscard]] int release() { return std::exchange(raw_, -1); }
  void reset() {
    if (raw_ >= 0) ::close(raw_);
    raw_ = -1;
  }

 private:
  explicit Fd(int raw) : raw_(raw) {}
  int raw_ = -1;
};

}  // namespace belljar
