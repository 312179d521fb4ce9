#include "warden/network.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "base/sys.h"

namespace belljar::warden {
namespace {

struct NetworkTest : testing::Test {
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root makes network namespaces";
    Result<Network> made = Network::make();
    ASSERT_TRUE(made) << made.error().message;
    network = *std::move(made);
    ASSERT_TRUE(network.bring_loopback_up());
    ASSERT_TRUE(network.record());
  }

  // A socket of that namespace, made by a thread that steps into it.
  [[nodiscard]] Fd make_socket(int family, int type) const {
    Fd made;
    std::thread([&] {
      if (::setns(network.fd(), CLONE_NEWNET) == 0) {
        made = Fd::adopt(::socket(family, type | SOCK_CLOEXEC, 0));
      }
    }).join();
    return made;
  }

  Network network;
};

TEST_F(NetworkTest, IsUsedAgainWhenNothingIsLeft) {
  EXPECT_TRUE(network.renew());
  EXPECT_TRUE(network.renew());
}

TEST_F(NetworkTest, IsNotUsedAgainWithoutARecord) {
  Result<Network> fresh = Network::make();
  ASSERT_TRUE(fresh);
  EXPECT_FALSE(fresh->renew());
}

TEST_F(NetworkTest, IsNotUsedAgainWhileASocketIsThere) {
  constexpr std::array kKinds{std::pair{AF_UNIX, SOCK_STREAM},  std::pair{AF_UNIX, SOCK_DGRAM},
                              std::pair{AF_INET, SOCK_STREAM},  std::pair{AF_INET, SOCK_DGRAM},
                              std::pair{AF_INET6, SOCK_STREAM}, std::pair{AF_INET6, SOCK_DGRAM}};
  for (const auto& [family, type] : kKinds) {
    Fd left = make_socket(family, type);
    ASSERT_TRUE(left.valid());
    EXPECT_FALSE(network.renew()) << family << ' ' << type;
    left.reset();
    EXPECT_TRUE(network.renew()) << family << ' ' << type;
  }
}

TEST_F(NetworkTest, IsNotUsedAgainWhileASocketIsOnItsWayInAnotherSocket) {
  Fd left = make_socket(AF_UNIX, SOCK_STREAM);
  ASSERT_TRUE(left.valid());
  auto ends = sys::make_seqpacket();
  ASSERT_TRUE(ends);
  const int number = left.get();
  ASSERT_TRUE(sys::send_message(ends->front().get(), "x", {&number, 1}));
  left.reset();

  EXPECT_FALSE(network.renew());
  for (Fd& each : *ends) each.reset();
  EXPECT_TRUE(network.renew());
}

TEST_F(NetworkTest, IsNeverUsedAgainAfterAPacket) {
  {
    const Fd sender = make_socket(AF_INET, SOCK_DGRAM);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::sendto(sender.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
              1);
  }
  EXPECT_FALSE(network.renew());
}

}  // namespace
}  // namespace belljar::warden
