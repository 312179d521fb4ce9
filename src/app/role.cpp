#include "app/role.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>

#include "app/confinement.h"
#include "app/fleet_parts.h"
#include "app/log.h"
#include "app/service_protocol.h"
#include "base/descriptors.h"
#include "base/sys.h"
#include "base/units.h"

namespace belljar::app {
namespace {

constexpr std::size_t kMostSettings = 1 * kMiB;

// What the supervisor gave stands in a row, and goes to no program that is executed from here.
void keep_to_ourselves() {
  for (int fd = kGatewayControlFd; fd < kGatewayPysandboxFd || ::fcntl(fd, F_GETFD) >= 0; ++fd) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

Status run(uid_t uid,
           const FleetParts* fleet,
           const std::function<Status(const api::Settings&)>& serve) {
  TRY_ASSIGN(const std::string text, sys::read_file("/proc/self/fd/4", kMostSettings));
  ::close(kGatewaySettingsFd);
  api::Settings settings;
  TRY(api::read_toml(settings, text, "settings"));
  // Its own, not those of whoever started the service.
  ::setenv("HOME", settings.state_dir.c_str(), 1);
  ::setenv("XDG_CACHE_HOME", settings.state_dir.c_str(), 1);
  ::umask(077);
  take_all_descriptors();
  std::vector<std::uint16_t> ports;
  if (fleet != nullptr) {
    TRY_ASSIGN(ports, fleet->ports(settings));
    ports.push_back(53);  // names whose answers are too long for UDP
  }
  TRY(confine_gateway(uid, settings.state_dir, ports));
  // A gateway that nobody looks after would keep the port and the ledger from the next one. Set
  // after the change of uid, which clears it; a supervisor that has gone before gives no warden.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail_errno("PR_SET_PDEATHSIG");
  return serve(settings);
}

// Many threads that each hand what they made to another one: with an arena for each, every one of
// them keeps its own high-water mark, and memory creeps up for thousands of runs. Few arenas, and
// large blocks always mapped by themselves, so that one of them that lives does not hold a hole.
void bound_the_heap() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

}  // namespace

int role_main(int argc,
              char** argv,
              const FleetParts* fleet,
              std::string_view failed,
              const std::function<Status(const api::Settings&)>& serve) {
  bound_the_heap();
  ::signal(SIGPIPE, SIG_IGN);
  keep_to_ourselves();
  const auto uid = argc > 2 ? parse_count(argv[2]) : fail(Code::kInvalid, "no uid");
  const Status status =
      uid ? run(static_cast<uid_t>(*uid), fleet, serve) : Status(std::unexpected(uid.error()));
  if (status) return 0;
  log_event(failed, {{"reason", status.error().message}});
  return 1;
}

}  // namespace belljar::app
