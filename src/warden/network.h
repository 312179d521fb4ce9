// Network: an empty network namespace, with `lo` up or down, that cells take in turns.
//
// To make one and to take it down costs more than all other namespaces of a cell together, most of
// it in a kernel thread that nobody is billed for. So one in which a cell left nothing is used
// again. That is never assumed: what the kernel tells of the namespace has to read, byte for byte,
// as it did before the cell (see renew()); a cell that sent a single packet, or left a
// socket behind in whatever way, has used it up. What routes were looked up is forgotten.
//
// Runs in: warden.
#pragma once

#include <array>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace belljar::warden {

class Network {
 public:
  Network() = default;
  // A new one, `lo` down.
  static Result<Network> make();
  // The one that a process began in which has not run a program yet. `ns`: its /proc/<pid>/ns/net.
  static Network adopt(Fd ns, bool loopback);

  [[nodiscard]] bool valid() const { return ns_.valid(); }
  [[nodiscard]] int fd() const { return ns_.get(); }
  [[nodiscard]] bool has_loopback() const { return loopback_; }
  // Brings `lo` up. There is no way back: an address that was once there keeps its routes.
  Status bring_loopback_up();

  // Notes how it is before the first program comes to it. Without that it is never used again, and
  // so where routes cannot be thrown away.
  Status record();
  [[nodiscard]] bool is_recorded() const { return !before_.empty(); }
  // Makes it as it was then, or answers that it is not to be used again. Only when every process
  // that was in it is gone. Sockets of any family count, those in TIME_WAIT and those that are
  // still on their way in another socket too; so do packets, sent or refused, and routes of IPv6
  // that were looked up. Those of IPv4, which a connect() without a packet leaves and which tell
  // when it was, are thrown away. What the kernel keeps beyond that (metrics of TCP, fragments)
  // comes of packets.
  [[nodiscard]] bool renew() const;

 private:
  static constexpr std::size_t kRecords = 10;
  [[nodiscard]] Result<std::string> read() const;

  Fd ns_;
  bool loopback_ = false;
  std::array<Fd, kRecords> records_;  // files of its /proc/net, kept open
  Fd flush_;                          // what makes it forget IPv4's routes
  std::string before_;
};

}  // namespace belljar::warden
