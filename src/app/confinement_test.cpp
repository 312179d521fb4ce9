#include "app/confinement.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "app/service_protocol.h"

namespace belljar::app {
namespace {

constexpr int kNotConfined = 200;

// errno of `act` in a process that was confined as a sender; 0 where it succeeded.
int as_sender(const std::function<bool()>& act) {
  const pid_t child = ::fork();
  if (child == 0) {
    const uid_t uid = ::geteuid() == 0 ? kSenderUid : ::geteuid();
    if (!confine_sender(uid)) ::_exit(kNotConfined);
    errno = 0;
    ::_exit(act() ? 0 : errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool has_landlock() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

bool opens(const char* path, int flags) {
  return ::open(path, flags | O_CLOEXEC, 0600) >= 0;
}
bool makes_socket(int domain, int type) {
  return ::socket(domain, type | SOCK_CLOEXEC, 0) >= 0;
}

// The same as a gateway.
int as_gateway(const std::string& state_dir,
               std::vector<std::uint16_t> ports,
               const std::function<bool()>& act) {
  const pid_t child = ::fork();
  if (child == 0) {
    const uid_t uid = ::geteuid() == 0 ? kGatewayUid : ::geteuid();
    if (!confine_gateway(uid, state_dir, ports)) ::_exit(kNotConfined);
    errno = 0;
    ::_exit(act() ? 0 : errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A listener on loopback and its port.
struct Listener {
  Listener() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    socklen_t size = sizeof address;
    ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(fd, 8);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(fd); }
  [[nodiscard]] std::uint16_t port() const { return ntohs(address.sin_port); }
  [[nodiscard]] bool answers() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  int fd;
};

TEST(ConfineGateway, ConnectsToTheLedgersPortAndToNoOther) {
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 4) {
    GTEST_SKIP() << "this kernel's Landlock knows no ports";
  }
  const Listener ledger, other;
  EXPECT_EQ(as_gateway("/tmp", {ledger.port()}, [&] { return ledger.answers(); }), 0);
  EXPECT_EQ(as_gateway("/tmp", {ledger.port()}, [&] { return other.answers(); }), EACCES);
  EXPECT_EQ(as_gateway("/tmp", {}, [&] { return ledger.answers(); }), EACCES);
  EXPECT_EQ(as_gateway("/tmp", {ledger.port()},
                       [] {
                         const sockaddr_in any{.sin_family = AF_INET};
                         return ::bind(::socket(AF_INET, SOCK_STREAM, 0),
                                       reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
                       }),
            EACCES);
}

TEST(ConfineGateway, WritesItsFolderAloneAndExecutesNothing) {
  if (!has_landlock()) GTEST_SKIP() << "this kernel has no Landlock";
  std::string folder = testing::TempDir() + "belljar-gateway-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  if (::geteuid() == 0) ASSERT_EQ(::chown(folder.c_str(), kGatewayUid, kGatewayUid), 0);
  const std::string inside = folder + "/file";
  EXPECT_EQ(as_gateway(folder, {}, [&] { return opens(inside.c_str(), O_WRONLY | O_CREAT); }), 0);
  EXPECT_EQ(
      as_gateway(folder, {}, [] { return opens("/tmp/belljar-gateway-test", O_WRONLY | O_CREAT); }),
      EACCES);
  EXPECT_EQ(as_gateway(folder, {}, [] { return ::execl("/bin/true", "true", nullptr) == 0; }),
            EACCES);
  ::unlink(inside.c_str());
  ::rmdir(folder.c_str());
}

TEST(ConfineSender, LeavesWhatASenderDoes) {
  EXPECT_EQ(as_sender([] { return makes_socket(AF_INET, SOCK_STREAM); }), 0);
  EXPECT_EQ(as_sender([] { return makes_socket(AF_INET6, SOCK_DGRAM) || errno == EAFNOSUPPORT; }),
            0);
  EXPECT_EQ(as_sender([] { return makes_socket(AF_NETLINK, SOCK_RAW); }), 0);
  EXPECT_EQ(as_sender([] { return opens("/etc/hosts", O_RDONLY); }), 0);
  EXPECT_EQ(as_sender([] {
              bool ran = false;
              std::thread([&ran] { ran = true; }).join();
              return ran;
            }),
            0);
}

TEST(ConfineSender, StartsNoProcess) {
  EXPECT_EQ(as_sender([] { return ::fork() >= 0; }), EPERM);
  EXPECT_EQ(as_sender([] { return ::execl("/bin/true", "true", nullptr) == 0; }), EPERM);
  EXPECT_EQ(as_sender([] { return ::kill(::getppid(), 0) == 0; }), EPERM);
}

TEST(ConfineSender, HasNoSocketsButOfIpAndListensOnNone) {
  EXPECT_EQ(as_sender([] { return makes_socket(AF_UNIX, SOCK_STREAM); }), EAFNOSUPPORT);
  EXPECT_EQ(as_sender([] { return makes_socket(AF_PACKET, SOCK_RAW); }), EAFNOSUPPORT);
  EXPECT_EQ(as_sender([] { return ::listen(::socket(AF_INET, SOCK_STREAM, 0), 1) == 0; }), EPERM);
}

TEST(ConfineSender, SeesNoFilesOfOthersAndWritesNone) {
  if (!has_landlock()) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(as_sender([] { return opens("/proc/self/status", O_RDONLY); }), EACCES);
  EXPECT_EQ(as_sender([] { return opens("/bin/sh", O_RDONLY); }), EACCES);
  EXPECT_EQ(as_sender([] { return opens("/tmp/belljar-confinement-test", O_WRONLY | O_CREAT); }),
            EACCES);
  EXPECT_NE(as_sender([] { return opens("/etc/hosts", O_WRONLY); }), 0);
}

TEST(ConfineSender, DoesNotBecomeRootAgain) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root has something to give up";
  EXPECT_EQ(as_sender([] { return ::setuid(0) == 0; }), EPERM);
}

}  // namespace
}  // namespace belljar::app
