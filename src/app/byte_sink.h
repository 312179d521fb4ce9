// ByteSink: one stream of a program's bytes on its way to one of our own descriptors.
#pragma once

#include <string_view>

#include "base/result.h"
#include "base/text.h"

namespace belljar::app {

enum class Show : unsigned char {
  kRaw,      // byte for byte
  kEscaped,  // what a terminal could obey becomes visible text
};

// write(2) until all is written. Unlike sys::write_all it also waits for a descriptor that somebody
// else has made non-blocking, as the standard streams may be, and can be stopped while it waits:
// by a readable `stop_fd`, or because the reader is not ready in time. That is EINTR.
inline constexpr int kForever = -1;
Status write_patiently(int fd,
                       std::string_view bytes,
                       int stop_fd = -1,
                       int patience_ms = kForever);

class ByteSink {
 public:
  // Both borrowed.
  ByteSink(int fd, Show show, int stop_fd) : fd_(fd), show_(show), stop_fd_(stop_fd) {}

  // After the first error nothing more is written and every call returns it.
  Status write(std::string_view bytes);
  // From now on a reader that is not ready ends the waiting at once.
  void hurry() { patience_ms_ = 0; }
  // What an incomplete character at the end becomes.
  Status finish();

  [[nodiscard]] const Status& status() const { return status_; }
  // Nothing was written yet, or it ended a line.
  [[nodiscard]] bool at_line_start() const { return at_line_start_; }

 private:
  Status put(std::string_view bytes);

  int fd_;
  Show show_;
  int stop_fd_;
  int patience_ms_ = kForever;
  TerminalEscaper escaper_;
  Status status_;
  bool at_line_start_ = true;
};

}  // namespace belljar::app
