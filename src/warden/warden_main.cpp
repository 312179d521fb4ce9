#include "warden/warden_main.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/descriptors.h"
#include "base/sys.h"
#include "warden/privilege.h"
#include "warden/protocol.h"
#include "warden/server.h"

namespace belljar::warden {
namespace {

// Where leases are kept: shared by every warden that can hand out the same uids or build in the
// same cgroups. Root of a user namespace that is the host's root outside still owns both.
Result<std::string> lease_file(const Person& person) {
  if (person.uid == 0) {
    const bool there = ::mkdir("/run/belljar", 0700) == 0 || errno == EEXIST;
    if (there && (person.root_of_host || ::access("/run/belljar", W_OK) == 0))
      return std::string("/run/belljar/leases");
    if (person.root_of_host) return fail_errno("mkdir /run/belljar");
  }
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  const std::string base = runtime != nullptr && runtime[0] == '/'
                               ? std::string(runtime) + "/belljar"
                               : "/tmp/belljar-" + std::to_string(person.uid);
  if (::mkdir(base.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("mkdir " + base);
  struct stat status{};
  if (::lstat(base.c_str(), &status) != 0) return fail_errno("lstat " + base);
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return fail(Code::kDenied, base + " is not a private directory of yours");
  }
  return base + "/leases";
}

Status run(Fd client) {
  TRY_ASSIGN(const Person person, find_person());
  TRY_ASSIGN(std::string leases, lease_file(person));
  // Cgroups first: a rootless warden finds its own by the paths of the host's view.
  cell::CgroupHost cgroups = cell::CgroupHost::detect();
  TRY_ASSIGN(const cell::Privilege privilege, become_root(person));
  // The mount namespace is the warden's own from here on: a copy that no clone has to pay for
  // twice and that the host never sees a mount of.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno("mount");
  TRY_ASSIGN(cell::Host host, cell::Host::probe(privilege));
  Server server(std::move(client), std::move(host), std::move(cgroups), std::move(leases));
  return server.serve();
}

}  // namespace

int warden_main() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGINT, SIG_IGN);  // the terminal's Ctrl-C is the client's to answer
  ::umask(022);
  take_all_descriptors();
  // A copy, because the server owns its socket while a failure must still be told on it.
  Fd client = Fd::adopt(::fcntl(kClientFd, F_DUPFD_CLOEXEC, kClientFd + 1));
  // It came through an execution; no cell may get it through another.
  ::fcntl(kClientFd, F_SETFD, FD_CLOEXEC);
  const Status status = run(Fd::adopt(kClientFd));
  if (status) return 0;
  Reply reply{.kind = ReplyKind::kHello};
  reply.error_code = static_cast<std::uint32_t>(status.error().code);
  const std::string& text = status.error().message;
  std::memcpy(reply.text.data(), text.data(), std::min(text.size(), reply.text.size() - 1));
  (void)sys::send_message(client.get(), {reinterpret_cast<const char*>(&reply), sizeof reply}, {})
      .has_value();
  // The client may have asked already: ended with its request unread, this socket would give it
  // "connection reset" in place of the reason. It reads the reason and closes.
  for (;;) {
    const Result<sys::Message> unread = sys::receive_message(client.get(), sizeof(Request));
    if (!unread ? unread.error().code != Code::kInvalid : unread->bytes.empty()) return 1;
  }
}

}  // namespace belljar::warden
