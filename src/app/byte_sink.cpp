#include "app/byte_sink.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace belljar::app {
namespace {

// What a pipe that poll(2) calls writable takes without blocking, see pipe(7).
constexpr std::size_t kPiece = PIPE_BUF;

}  // namespace

Status write_patiently(int fd, std::string_view bytes, int stop_fd, int patience_ms) {
  while (!bytes.empty()) {
    std::array<pollfd, 2> waits{{{.fd = fd, .events = POLLOUT, .revents = 0},
                                 {.fd = stop_fd, .events = POLLIN, .revents = 0}}};
    const int ready = poll(waits.data(), waits.size(), patience_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno("poll");
    if (waits[0].revents == 0) return fail_errno("write", EINTR);
    const ssize_t written = ::write(fd, bytes.data(), std::min(bytes.size(), kPiece));
    if (written < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("write");
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status ByteSink::write(std::string_view bytes) {
  return put(show_ == Show::kRaw ? bytes : std::string_view(escaper_.feed(bytes)));
}

Status ByteSink::finish() {
  return show_ == Show::kRaw ? status_ : put(escaper_.finish());
}

Status ByteSink::put(std::string_view bytes) {
  if (!status_ || bytes.empty()) return status_;
  at_line_start_ = bytes.back() == '\n';
  status_ = write_patiently(fd_, bytes, stop_fd_, patience_ms_);
  return status_;
}

}  // namespace belljar::app
