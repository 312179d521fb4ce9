#include "warden/watch.h"

#include <sys/epoll.h>

#include <array>
#include <utility>

namespace belljar::warden {

Status Watch::open() {
  epoll_ = Fd::adopt(::epoll_create1(EPOLL_CLOEXEC));
  return epoll_.valid() ? Status{} : fail_errno("epoll_create1");
}

Status Watch::add(int fd, std::uint64_t name) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = name}};
  const bool added = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  return added ? Status{} : fail_errno("epoll_ctl");
}

void Watch::remove(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

std::vector<std::uint64_t> Watch::hear() const {
  std::array<epoll_event, 64>
      events;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), 0);
  std::vector<std::uint64_t> names;
  for (std::size_t i = 0; std::cmp_less(i, count); ++i) names.push_back(events.at(i).data.u64);
  return names;
}

}  // namespace belljar::warden
