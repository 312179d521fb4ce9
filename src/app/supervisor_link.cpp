#include "app/supervisor_link.h"

#include "base/sys.h"

namespace belljar::app {

Result<Fd> SupervisorLink::request(GatewayMessage message) {
  const std::lock_guard lock(mutex_);
  TRY(sys::send_message(control_, {reinterpret_cast<const char*>(&message), sizeof message}, {}));
  TRY_ASSIGN(sys::Message answer, sys::receive_message(control_, 256));
  if (answer.fds.size() != 1) {
    return fail(Code::kUnavailable, answer.bytes.empty() ? "the supervisor is gone" : answer.bytes);
  }
  return std::move(answer.fds.front());
}

Status SupervisorLink::tell(GatewayMessage message) {
  return sys::send_message(control_, {reinterpret_cast<const char*>(&message), sizeof message}, {});
}

}  // namespace belljar::app
