#include "warden/privilege.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "base/fd.h"

namespace belljar::warden {
namespace {

TEST(Privilege, AMapSaysWhatAUidIsOutside) {
  constexpr std::string_view kMap =
      "         0       1001          1\n"
      "         1     100000      65536\n";
  EXPECT_EQ(uid_outside(kMap, 0), 1001U);
  EXPECT_EQ(uid_outside(kMap, 1), 100000U);
  EXPECT_EQ(uid_outside(kMap, 65536), 165535U);
  EXPECT_EQ(uid_outside(kMap, 65537), std::nullopt);
  EXPECT_EQ(uid_outside("", 0), std::nullopt);
  EXPECT_EQ(uid_outside("0 0 4294967295\n", 4294967294U), 4294967294U);
}

TEST(Privilege, NobodyIsRootOfTheHostInAUserNamespaceOfTheirOwn) {
  const uid_t outside = ::geteuid();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::unshare(CLONE_NEWUSER) != 0) ::_exit(2);
    const std::string map = "0 " + std::to_string(outside) + " 1\n";
    const auto wrote = [](const char* path, const std::string& text) {
      const Fd fd = Fd::adopt(::open(path, O_WRONLY | O_CLOEXEC));
      return ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    };
    if (!wrote("/proc/self/uid_map", map) || ::geteuid() != 0) ::_exit(3);
    const Result<Person> person = find_person();
    ::_exit(person && person->uid == outside && !person->root_of_host ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "this host refuses user namespaces";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace belljar::warden
