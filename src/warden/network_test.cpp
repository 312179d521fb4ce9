#include "warden/network.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>
#include <utility>

#include "base/fd.h"

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
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  Fd first = Fd::adopt(ends[0]);
  Fd second = Fd::adopt(ends[1]);

  char byte = 'x';
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = left.get();
  std::memcpy(CMSG_DATA(header), &number, sizeof number);
  ASSERT_EQ(::sendmsg(first.get(), &message, 0), 1);
  left.reset();

  EXPECT_FALSE(network.renew());
  first.reset();
  second.reset();
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
