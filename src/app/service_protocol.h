// What `belljar serve`, the small process that starts the others, and its gateway say to each
// other.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace belljar::app {

// Descriptors of a gateway when it is executed, and of a worker, which listens to nobody.
inline constexpr int kGatewayControlFd = 3;   // SOCK_SEQPACKET to the supervisor
inline constexpr int kGatewaySettingsFd = 4;  // sealed memfd: the settings as TOML
inline constexpr int kGatewayListenFd = 5;
inline constexpr int kGatewayExecutorFd = 6;     // or closed
inline constexpr int kGatewayE2bFd = 7;          // or closed
inline constexpr int kGatewayCertificateFd = 8;  // or closed: the files of TLS, which the gateway's
inline constexpr int kGatewayKeyFd = 9;          // user need not be able to open
inline constexpr int kGatewayLedgerPasswordFd = 10;  // or closed
// Sealed memfds, or closed: what of NATS only whoever starts the service may read.
inline constexpr int kFleetCredentialsFd = 11;
inline constexpr int kFleetAuthoritiesFd = 12;
inline constexpr int kFleetCertificateFd = 13;
inline constexpr int kFleetKeyFd = 14;
inline constexpr int kGatewayPysandboxFd = 15;  // and as many as there are of pysandbox's ports

// Descriptors of a sender of webhooks when it is executed.
inline constexpr int kSenderGatewayFd =
    3;  // SOCK_SEQPACKET to the gateway, see api/webhook_protocol.h
inline constexpr int kSenderSettingsFd = 4;  // as the gateway's

// The exit code of a gateway that another start would not help.
inline constexpr int kGatewayHopeless = 3;

enum class GatewayMessage : std::uint8_t {
  kWarden = 1,  // asks for a warden; the answer is one message with its socket
  kReady,       // takes requests
  kSender,      // asks for a sender of webhooks, answered likewise
};

// The gateway's user where root starts the service and nobody is named: outside of what Debian
// gives to people and packages, and of the cells' range.
inline constexpr uid_t kGatewayUid = 0x41fffffe;
// The user of what sends webhooks where root starts the service: it owns nothing.
inline constexpr uid_t kSenderUid = 0x41fffffd;

}  // namespace belljar::app
