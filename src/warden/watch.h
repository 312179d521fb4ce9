// Watch: descriptors that seldom have anything to say, and are many: however many they are, waiting
// for all of them costs as much as for one (epoll(7)).
//
// A descriptor is taken out before it is closed: a process that was cloned meanwhile may still hold
// it, and then the kernel would go on telling of it.
//
// Runs in: warden.
#pragma once

#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace belljar::warden {

class Watch {
 public:
  // Once, before anything else.
  Status open();
  // Readable when one of them is, or has ended.
  [[nodiscard]] int fd() const { return epoll_.get(); }
  // `name` is what hear() answers.
  Status add(int fd, std::uint64_t name);
  void remove(int fd);
  // The names of some that have something to say; of the others it is told the next time.
  [[nodiscard]] std::vector<std::uint64_t> hear() const;

 private:
  Fd epoll_;
};

}  // namespace belljar::warden
