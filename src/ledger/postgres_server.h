// For the tests of this folder: a PostgreSQL server of their own on a socket in a temporary folder,
// which ends with the test. The system's own cluster is neither used nor started.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "ledger/postgres.h"

namespace belljar::ledger {

class PostgresServer {
 public:
  // `settings`: of postgresql.conf, such as "fsync=on".
  explicit PostgresServer(std::vector<std::string> settings = {},
                          const std::string& where = testing::TempDir())
      : settings_(std::move(settings)) {
    std::string name = where + "belljar-postgres-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return;
    folder_ = name;
    // The server refuses to run as root.
    if (::geteuid() == 0 && ::chown(folder_.c_str(), kNobody, kNobody) != 0) return;
    const int made = finish(begin({kBinaries + "initdb", "-D", folder_ + "/data", "-A", "trust",
                                   "-U", "belljar", "-E", "UTF8", "--locale=C", "--no-sync"}));
    EXPECT_EQ(made, 0) << "initdb";
    start();
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;
  ~PostgresServer() {
    stop();
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  // One for all tests of this program, without fsync.
  static PostgresServer& shared() {
    static PostgresServer server({"fsync=off", "full_page_writes=off"});
    return server;
  }

  void start() {
    std::vector<std::string> words{kBinaries + "postgres", "-D", folder_ + "/data", "-k", folder_,
                                   "-c", "listen_addresses=",
                                   // Leaves nothing behind, however it ends.
                                   "-c", "dynamic_shared_memory_type=mmap"};
    for (const std::string& each : settings_) words.insert(words.end(), {"-c", each});
    server_ = begin(words);
    for (int i = 0; i < 300; ++i) {
      if (postgres::Connection::open({.url = url("postgres")})) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ADD_FAILURE() << "PostgreSQL does not start";
  }
  // SIGINT: its clients are cut off, what is committed is written; SIGQUIT: as in a crash.
  void stop(int signal = SIGINT) {
    if (server_ <= 0) return;
    ::kill(server_, signal);
    finish(server_);
    server_ = 0;
  }
  // Whether it still runs or not.
  void start_again() {
    stop();
    start();
  }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] std::string url(const std::string& database) const {
    return "postgresql://belljar@/" + database + "?host=" + folder_;
  }
  // The URL of a new, empty database.
  std::string new_database() {
    const std::string name = "test_" + std::to_string(++databases_);
    run("postgres", "CREATE DATABASE " + name);
    return url(name);
  }
  void run(const std::string& database, const std::string& sql) const {
    postgres::Answer<postgres::Connection> connection =
        postgres::Connection::open({.url = database.contains("://") ? database : url(database)});
    ASSERT_TRUE(connection.has_value()) << connection.error().error.message;
    const postgres::Answer<void> done = connection->script(sql);
    EXPECT_TRUE(done.has_value()) << done.error().error.message;
  }

 private:
  static constexpr uid_t kNobody = 65534;
  inline static const std::string kBinaries = "/usr/lib/postgresql/15/bin/";

  pid_t begin(std::vector<std::string> words) const {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string log = folder_ + "/log";
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (::chdir("/") != 0 || ::freopen(log.c_str(), "a", stdout) == nullptr) ::_exit(126);
    ::dup2(STDOUT_FILENO, STDERR_FILENO);
    ::execv(argv.front(), argv.data());
    ::_exit(127);
  }
  static int finish(pid_t child) {
    int status = -1;
    ::waitpid(child, &status, 0);
    return status;
  }

  std::vector<std::string> settings_;
  std::string folder_;
  pid_t server_ = 0;
  int databases_ = 0;
};

}  // namespace belljar::ledger
