#include "app/byte_sink.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace belljar::app {

Status write_patiently(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
      if (poll(&ready, 1, -1) < 0 && errno != EINTR) return fail_errno("poll");
    } else if (errno != EINTR) {
      return fail_errno("write");
    }
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
  status_ = write_patiently(fd_, bytes);
  return status_;
}

}  // namespace belljar::app
