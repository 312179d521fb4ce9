#include "app/fleet_parts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "app/service_protocol.h"
#include "app/submission_files.h"
#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"

namespace belljar::app {
namespace {

constexpr std::size_t kMostPassword = 4096;
constexpr std::size_t kMostName = 128;

std::string first_line(std::string text) {
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  return text;
}

}  // namespace

FleetFiles fleet_files() {
  const auto path = [](int fd) {
    return ::fcntl(fd, F_GETFD) < 0 ? std::string() : "/proc/self/fd/" + std::to_string(fd);
  };
  return {.credentials = path(kFleetCredentialsFd),
          .authorities = path(kFleetAuthoritiesFd),
          .certificate = path(kFleetCertificateFd),
          .key = path(kFleetKeyFd)};
}

Result<std::string> fleet_program() {
  std::string self(PATH_MAX, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size());
  if (size < 0) return fail_errno("readlink /proc/self/exe");
  self.resize(static_cast<std::size_t>(size));
  const std::string program = self.substr(0, self.rfind('/')) + "/belljar-fleet";
  if (::access(program.c_str(), X_OK) == 0) return program;
  return fail(Code::kUnavailable,
              "a fleet needs the program " + quote(program) + ", which is not there");
}

std::unexpected<Error> become_fleet(char** argv) {
  const auto program = fleet_program();
  if (!program) return std::unexpected(program.error());
  ::execv(program->c_str(), argv);
  return fail_errno("execute " + quote(*program));
}

Result<std::string> ledger_password(const api::Settings& settings) {
  if (settings.ledger_password_file.empty()) return std::string();
  auto text = read_named(settings.ledger_password_file, kMostPassword);
  if (!text) return std::unexpected(text.error().context("ledger-password-file"));
  return first_line(*std::move(text));
}

Result<std::string> ledger_password(int fd) {
  TRY_ASSIGN(std::string text, read_whole(fd, "ledger-password-file", kMostPassword));
  return first_line(std::move(text));
}

Status check_open_address(const api::Settings& settings, ledger::Store& store) {
  TRY_ASSIGN(const api::Endpoint endpoint, api::parse_endpoint(settings.listen));
  if (endpoint.loopback || settings.open_to_all) return {};
  TRY_ASSIGN(const auto keys, store.list_keys());
  if (std::ranges::any_of(keys, [](const ledger::Key& key) { return key.revoked_ms == 0; })) {
    return {};
  }
  return fail(Code::kDenied, "listen: " + quote(settings.listen) +
                                 " is not loopback and there is no key: make one with `belljar "
                                 "keys create`, or say --open-to-all");
}

Result<std::string> installation(const std::string& state_dir) {
  const std::string path = state_dir + "/installation";
  auto known = sys::read_file(path.c_str(), kMostName);
  if (known && !known->empty()) return first_line(*std::move(known));
  const std::string made = make_id("home");
  const Fd file =
      Fd::adopt(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno("state-dir: " + quote(path));
  if (::write(file.get(), made.data(), made.size()) != static_cast<ssize_t>(made.size()) ||
      ::fsync(file.get()) != 0) {
    return fail_errno("state-dir: " + quote(path));
  }
  return made;
}

}  // namespace belljar::app
