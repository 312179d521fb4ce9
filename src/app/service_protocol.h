// What `belljar serve`, the small process that starts the others, and its gateway say to each
// other.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace belljar::app {

// Descriptors of a gateway when it is executed.
inline constexpr int kGatewayControlFd = 3;   // SOCK_SEQPACKET to the supervisor
inline constexpr int kGatewaySettingsFd = 4;  // sealed memfd: the settings as TOML
inline constexpr int kGatewayListenFd = 5;
inline constexpr int kGatewayExecutorFd = 6;  // or closed

enum class GatewayMessage : std::uint8_t {
  kWarden = 1,  // asks for a warden; the answer is one message with its socket
  kReady,       // takes requests
};

// The gateway's user where root starts the service and nobody is named: outside of what Debian
// gives to people and packages, and of the cells' range.
inline constexpr uid_t kGatewayUid = 0x41fffffe;

}  // namespace belljar::app
