// For the tests of this folder: a nats-server of their own with JetStream, on loopback, which ends
// with the test.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "base/fd.h"
#include "fleet/connection.h"
#include "fleet/jetstream.h"
#include "fleet/object_bucket.h"
#include "fleet/subjects.h"

namespace belljar::fleet {

class NatsServer {
 public:
  // What is asked of it under the subject that it `denies` has no answer.
  explicit NatsServer(const std::string& denies = "") {
    std::string name = testing::TempDir() + "belljar-nats-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return;
    folder_ = name;
    port_ = free_port();
    std::ofstream settings(folder_ + "/nats.conf");
    if (!denies.empty()) {
      settings << R"(no_auth_user: all
authorization { users = [{user: all, password: all, permissions: {publish: {deny: ")"
               << denies << "\"}}}] }\n";
    }
    settings.close();
    start();
  }
  NatsServer(const NatsServer&) = delete;
  NatsServer& operator=(const NatsServer&) = delete;
  ~NatsServer() {
    stop();
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  // Again on the same port, with what it had stored.
  void start() {
    const std::string port = std::to_string(port_);
    const std::string settings = folder_ + "/nats.conf";
    const std::string store = folder_ + "/store";
    server_ = ::fork();
    if (server_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int log =
          ::open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      ::dup2(log, STDOUT_FILENO);
      ::dup2(log, STDERR_FILENO);
      ::execl("/usr/sbin/nats-server", "nats-server", "-c", settings.c_str(), "-a", "127.0.0.1",
              "-p", port.c_str(), "-js", "-sd", store.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 300; ++i) {
      if (Connection::open({.urls = url(), .name = "test"})) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ADD_FAILURE() << "nats-server does not start";
  }
  void stop() {
    if (server_ <= 0) return;
    ::kill(server_, SIGKILL);
    ::waitpid(server_, nullptr, 0);
    server_ = 0;
  }
  [[nodiscard]] std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::unique_ptr<Connection> connect() const {
    auto made = Connection::open({.urls = url(), .name = "test"});
    EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
    return made ? *std::move(made) : nullptr;
  }
  // What a gateway's runner makes at its start.
  void make_streams(std::uint64_t work = 1) const {
    const std::unique_ptr<Connection> connection = connect();
    JetStream stream(*connection);
    ObjectBucket objects(stream, kBucket);
    const Status made = fleet::make_streams(stream, objects, 1, work);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
  }

 private:
  static std::uint16_t free_port() {
    const Fd socket = Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t server_ = 0;
};

}  // namespace belljar::fleet
