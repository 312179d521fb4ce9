// SupervisorLink: what a gateway or a worker asks the process that started it for.
#pragma once

#include <mutex>

#include "app/service_protocol.h"
#include "base/fd.h"
#include "base/result.h"

namespace belljar::app {

// Every member may be called from any thread.
class SupervisorLink {
 public:
  // Borrowed: a SOCK_SEQPACKET to the supervisor.
  explicit SupervisorLink(int control) : control_(control) {}

  // A socket to the process that it starts.
  Result<Fd> request(GatewayMessage message);
  // What has no answer.
  Status tell(GatewayMessage message);

 private:
  const int control_;
  std::mutex mutex_;
};

}  // namespace belljar::app
