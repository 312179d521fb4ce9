#include "cell/cgroup_freezer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "cell/cgroup_files.h"

namespace belljar::cell {
namespace {

// What the freezer's files look like, in a folder of plain files and with nothing behind them.
class FakeGroup {
 public:
  FakeGroup() : path_(testing::TempDir() + "belljar-freezer-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) return;
    fd_ = Fd::adopt(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  FakeGroup(const FakeGroup&) = delete;
  FakeGroup& operator=(const FakeGroup&) = delete;
  ~FakeGroup() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }
  void write(const char* name, const std::string& text) const { std::ofstream(file(name)) << text; }

 private:
  std::string path_;
  Fd fd_;
};

// A child that does nothing until it is killed.
class Child {
 public:
  Child() : pid_(::fork()) {
    if (pid_ == 0) {
      for (;;) ::pause();
    }
    pidfd_ = Fd::adopt(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  // Whether it is dead, or is within `patience`.
  [[nodiscard]] bool is_dead(std::chrono::milliseconds patience) const {
    pollfd end{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&end, 1, static_cast<int>(patience.count())) == 1;
  }

 private:
  pid_t pid_;
  Fd pidfd_;
};

constexpr std::chrono::milliseconds kPatience{5000};

// The next word that is written to a named pipe, and whether it was there at all.
std::string word_in(const std::string& pipe) {
  std::array<char, 64> buffer{};
  const Fd fd = Fd::adopt(::open(pipe.c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
  return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
}

TEST(CgroupFreezer, AsksForOneStateOrTheOther) {
  const FakeGroup group;
  group.write("freezer.state", "");
  ASSERT_TRUE(freeze_v1(group.fd(), true));
  EXPECT_EQ(read_cgroup(group.fd(), "freezer.state").value(), "FROZEN");
  group.write("freezer.state", "");
  ASSERT_TRUE(freeze_v1(group.fd(), false));
  EXPECT_EQ(read_cgroup(group.fd(), "freezer.state").value(), "THAWED");
}

TEST(CgroupFreezer, IsFrozenWhenTheLastProcessIs) {
  const FakeGroup group;
  for (const auto& [state, frozen] : {std::pair("THAWED\n", false), std::pair("FREEZING\n", false),
                                      std::pair("FROZEN\n", true)}) {
    group.write("freezer.state", state);
    EXPECT_EQ(is_v1_frozen(group.fd()).value(), frozen) << state;
  }
}

TEST(CgroupFreezer, TellsOfAGroupWithoutOne) {
  const FakeGroup group;
  EXPECT_FALSE(freeze_v1(group.fd(), true));
  EXPECT_FALSE(is_v1_frozen(group.fd()));
}

TEST(CgroupFreezer, KillsBeforeItLetsGo) {
  const FakeGroup group;
  const Child one;
  const Child two;
  const Child outside;
  group.write("cgroup.procs", std::to_string(one.pid()) + "\n" + std::to_string(two.pid()) + "\n");
  // Whoever writes to a named pipe waits for its reader, who comes when both are dead.
  ASSERT_EQ(::mkfifo(group.file("freezer.state").c_str(), 0600), 0);
  bool dead = false;
  std::string word;
  std::thread reader([&] {
    dead = one.is_dead(kPatience) && two.is_dead(kPatience);
    word = word_in(group.file("freezer.state"));
  });
  kill_and_thaw_v1(group.fd());
  reader.join();
  EXPECT_TRUE(dead);
  EXPECT_EQ(word, "THAWED");
  EXPECT_FALSE(outside.is_dead({}));
}

TEST(CgroupFreezer, LetsAnEmptyGroupGo) {
  const FakeGroup group;
  group.write("cgroup.procs", "");
  group.write("freezer.state", "");
  kill_and_thaw_v1(group.fd());
  EXPECT_EQ(read_cgroup(group.fd(), "freezer.state").value(), "THAWED");
}

TEST(CgroupFreezer, ReadsEachProcessOfALongList) {
  const FakeGroup group;
  std::string lines;
  for (int pid = 100'000; pid < 104'096; ++pid) lines += std::to_string(pid) + "\n";
  group.write("cgroup.procs", lines);
  const std::vector<pid_t> pids =
      listed_processes(read_cgroup_list(group.fd(), "cgroup.procs").value());
  ASSERT_EQ(pids.size(), 4096U);
  EXPECT_EQ(pids.front(), 100'000);
  EXPECT_EQ(pids.back(), 104'095);
}

TEST(CgroupFreezer, TakesNobodyForAProcess) {
  EXPECT_TRUE(listed_processes("").empty());
  EXPECT_TRUE(listed_processes("0\n1\n\nx\n-7\n").empty());
  EXPECT_EQ(listed_processes("0\n7\n8"), (std::vector<pid_t>{7, 8}));
}

// A group of the kernel's own, where this host has a freezer of v1 and lets us at it.
class CgroupFreezerLive : public testing::Test {
 protected:
  void SetUp() override {
    path_ = "/sys/fs/cgroup/freezer/belljar-unit-test-" + std::to_string(::getpid());
    if (::mkdir(path_.c_str(), 0755) != 0) GTEST_SKIP() << "no freezer of cgroup v1 to write to";
    group_ = Fd::adopt(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override {
    if (!group_.valid()) return;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (::rmdir(path_.c_str()) != 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_NE(::access(path_.c_str(), F_OK), 0);
  }
  std::string path_;
  Fd group_;
};

TEST_F(CgroupFreezerLive, WhatIsFrozenDiesWithoutRunningAgain) {
  const Child child;
  ASSERT_TRUE(write_cgroup(group_.get(), "cgroup.procs", std::to_string(child.pid())));
  ASSERT_TRUE(freeze_v1(group_.get(), true));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!is_v1_frozen(group_.get()).value() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(is_v1_frozen(group_.get()).value());
  kill_listed(group_.get());
  // SIGKILL waits: the kernel does not deliver it to what v1 has frozen.
  EXPECT_FALSE(child.is_dead(std::chrono::milliseconds(20)));
  kill_and_thaw_v1(group_.get());
  EXPECT_TRUE(child.is_dead(kPatience));
  EXPECT_FALSE(is_v1_frozen(group_.get()).value());
}

}  // namespace
}  // namespace belljar::cell
