// `belljar serve`: starts the gateway and wardens for it, and starts them again when they fall.
// Reads nothing from outside; stays what the person who started it is.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <map>

#include "app/fleet_parts.h"
#include "app/header_folders.h"
#include "app/invocation.h"
#include "app/log.h"
#include "app/service_protocol.h"
#include "app/settings_source.h"
#include "app/terminal.h"
#include "base/sys.h"
#include "base/text.h"
#include "ledger/sqlite_store.h"
#include "warden/client.h"
#include "warden/protocol.h"

namespace belljar::app {
namespace {

Result<Fd> listen_on(const api::Endpoint& endpoint) {
  const bool six = endpoint.address.find(':') != std::string::npos;
  Fd socket = Fd::adopt(::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno("socket");
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in6 address6{.sin6_family = AF_INET6, .sin6_port = htons(endpoint.port)};
  sockaddr_in address4{.sin_family = AF_INET, .sin_port = htons(endpoint.port)};
  ::inet_pton(AF_INET6, endpoint.address.c_str(), &address6.sin6_addr);
  ::inet_pton(AF_INET, endpoint.address.c_str(), &address4.sin_addr);
  const auto* const address = six ? reinterpret_cast<const sockaddr*>(&address6)
                                  : reinterpret_cast<const sockaddr*>(&address4);
  const socklen_t size = six ? sizeof address6 : sizeof address4;
  const std::string where = endpoint.address + ":" + std::to_string(endpoint.port);
  if (::bind(socket.get(), address, size) != 0) return fail_errno("listen: " + where);
  if (::listen(socket.get(), 512) != 0) return fail_errno("listen: " + where);
  return socket;
}

// Nothing for port 0.
Result<Fd> listen_on_loopback(std::uint64_t port) {
  if (port == 0) return Fd();
  return listen_on(
      {.address = "127.0.0.1", .port = static_cast<std::uint16_t>(port), .loopback = true});
}

// The port that the kernel chose where 0 was asked for.
std::uint16_t port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

// By number, or by name from /etc/passwd; a static program asks no name service.
Result<uid_t> gateway_uid(const api::Settings& settings) {
  if (::geteuid() != 0) return ::geteuid();
  const std::string wanted = settings.user.empty() ? "belljar" : settings.user;
  if (const auto number = parse_count(wanted)) {
    if (*number == 0) return fail(Code::kInvalid, "user: the gateway must not be root");
    return static_cast<uid_t>(*number);
  }
  TRY_ASSIGN(const std::string users, sys::read_file("/etc/passwd", 16 * kMiB));
  const std::size_t at = ("\n" + users).find("\n" + wanted + ":");
  if (at == std::string::npos) {
    if (settings.user.empty()) return kGatewayUid;
    return fail(Code::kInvalid, "user: there is no user " + quote(wanted));
  }
  std::string_view line = std::string_view(users).substr(at);
  line = line.substr(0, line.find('\n'));
  for (int i = 0; i < 2; ++i) line = line.substr(line.find(':') + 1);
  const auto number = parse_count(line.substr(0, line.find(':')));
  if (!number || *number == 0)
    return fail(Code::kInvalid, "user: " + quote(wanted) + " has no uid of its own");
  return static_cast<uid_t>(*number);
}

// Two services on one ledger would each run again what the other one runs.
Result<Fd> lock_state(const api::Settings& settings) {
  std::error_code error;
  std::filesystem::create_directories(settings.state_dir, error);
  if (error) {
    return fail(Code::kInvalid, "state-dir: " + quote(settings.state_dir) + ": " + error.message());
  }
  TRY_ASSIGN(Fd folder, sys::open_file(settings.state_dir.c_str(), O_RDONLY | O_DIRECTORY));
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kUnavailable,
                "state-dir: another service is using " + quote(settings.state_dir));
  }
  return folder;
}

// The ledger is opened, migrated and asked once before the gateway gives up its rights, so that
// what is wrong is told where a person sees it. A database is asked by the gateway alone, which has
// given them up when it does so.
Status prepare_state(const api::Settings& settings, uid_t uid) {
  std::error_code error;
  TRY_ASSIGN(const Fd folder,
             sys::open_file(settings.state_dir.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (::fchmod(folder.get(), 0700) != 0) return fail_errno("state-dir: chmod");
  if (settings.ledger.empty() && settings.fleet.empty()) {
    TRY_ASSIGN(const auto store, ledger::SqliteStore::open(settings.state_dir + "/ledger.db"));
    TRY(check_open_address(settings, *store));
  }
  if (::geteuid() != 0) return {};
  if (::fchown(folder.get(), uid, uid) != 0) return fail_errno("state-dir: chown");
  for (const auto& entry : std::filesystem::directory_iterator(settings.state_dir, error)) {
    if (::lchown(entry.path().c_str(), uid, uid) != 0) return fail_errno("state-dir: chown");
  }
  return {};
}

// systemd's protocol, sd_notify(3): one datagram.
void notify_systemd(std::string_view state) {
  const char* const path = ::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{.sun_family = AF_UNIX};
  const std::string_view name(path);
  if (name.size() >= sizeof address.sun_path) return;
  std::ranges::copy(name, address.sun_path);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const Fd socket = Fd::adopt(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), size);
}

// The words by which this program is executed as one of them.
constexpr const char* kGatewayRole = "gateway";
constexpr const char* kWorkerRole = "fleet-worker";

class Supervisor {
 public:
  struct Listeners {
    Fd main, executor, e2b;  // the latter two or none
    std::vector<Fd> pysandbox;
  };
  // `gateway`: the file that the gateway, or the worker, is executed from, as which of them.
  Supervisor(const api::Settings& settings,
             uid_t uid,
             Listeners listeners,
             std::string gateway,
             std::string role)
      : settings_(settings),
        uid_(uid),
        listeners_(std::move(listeners)),
        gateway_program_(std::move(gateway)),
        role_(std::move(role)) {}

  Result<int> run() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int each : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals, each);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    const Fd events = Fd::adopt(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!events.valid()) return fail_errno("signalfd");
    TRY(start_gateway());
    for (;;) {
      std::array<pollfd, 2> waits{pollfd{.fd = events.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = control_.get(), .events = POLLIN, .revents = 0}};
      if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
      if (waits[1].revents != 0) answer();
      signalfd_siginfo info{};
      while (::read(events.get(), &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGCHLD) stop();
      }
      TRY_ASSIGN(const bool over, reap());
      if (over) return stopping_ ? 0 : 1;
    }
  }

 private:
  Status start_gateway() {
    TRY_ASSIGN(auto sockets, sys::make_seqpacket());
    TRY_ASSIGN(const Fd text, sys::sealed_memfd("belljar-settings", api::describe(settings_)));
    Fd certificate;
    Fd key;
    // Opened anew each time, so that a new certificate comes with a new gateway.
    if (!settings_.tls_certificate.empty()) {
      TRY_ASSIGN(certificate, sys::open_file(settings_.tls_certificate.c_str(), O_RDONLY));
      TRY_ASSIGN(key, sys::open_file(settings_.tls_key.c_str(), O_RDONLY));
    }
    Fd password;
    if (!settings_.ledger.empty() && !settings_.ledger_password_file.empty()) {
      TRY_ASSIGN(password, sys::open_file(settings_.ledger_password_file.c_str(), O_RDONLY));
    }
    std::vector<std::pair<int, int>> fds{{sockets[1].get(), kGatewayControlFd},
                                         {text.get(), kGatewaySettingsFd},
                                         {listeners_.main.get(), kGatewayListenFd},
                                         {listeners_.executor.get(), kGatewayExecutorFd},
                                         {listeners_.e2b.get(), kGatewayE2bFd},
                                         {certificate.get(), kGatewayCertificateFd},
                                         {key.get(), kGatewayKeyFd},
                                         {password.get(), kGatewayLedgerPasswordFd}};
    TRY_ASSIGN(const Fd credentials, copy_of(settings_.fleet_credentials_file));
    TRY_ASSIGN(const Fd authorities, copy_of(settings_.fleet_ca_file));
    TRY_ASSIGN(const Fd fleet_certificate, copy_of(settings_.fleet_certificate_file));
    TRY_ASSIGN(const Fd fleet_key, copy_of(settings_.fleet_key_file));
    fds.insert(fds.end(), {{credentials.get(), kFleetCredentialsFd},
                           {authorities.get(), kFleetAuthoritiesFd},
                           {fleet_certificate.get(), kFleetCertificateFd},
                           {fleet_key.get(), kFleetKeyFd}});
    int next = kGatewayPysandboxFd;
    for (const Fd& each : listeners_.pysandbox) fds.emplace_back(each.get(), next++);
    const std::string uid = std::to_string(uid_);
    TRY_ASSIGN(gateway_,
               start({"belljar", role_.c_str(), uid.c_str()}, fds, gateway_program_.c_str()));
    control_ = std::move(sockets[0]);
    started_.push_back(sys::now());
    return {};
  }

  // libnats opens files by their names, and again at each connection, as a user who may open none
  // of these: so it gets them as memory.
  static Result<Fd> copy_of(const std::string& path) {
    if (path.empty()) return Fd();
    constexpr std::size_t kMost = kMiB;
    TRY_ASSIGN(const std::string text, sys::read_file(path.c_str(), kMost));
    return sys::sealed_memfd("belljar-fleet-file", text);
  }

  // Executes this file again, or another one, with just these descriptors and its standard error.
  static Result<pid_t> start(const std::vector<const char*>& words,
                             const std::vector<std::pair<int, int>>& fds,
                             const char* program = "/proc/self/exe") {
    constexpr int kAway = 64;
    std::vector<Fd> copies;
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, 1000);
    int last = 2;
    for (const auto& [from, to] : fds) {
      if (from < 0) continue;
      // Away from the numbers that they are about to be put on.
      copies.push_back(Fd::adopt(::fcntl(from, F_DUPFD_CLOEXEC, kAway)));
      ::posix_spawn_file_actions_adddup2(&actions, copies.back().get(), to);
      last = std::max(last, to);
    }
    ::posix_spawn_file_actions_addclosefrom_np(&actions, last + 1);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    std::vector<char*> argv;
    for (const char* const word : words) argv.push_back(const_cast<char*>(word));
    argv.push_back(nullptr);
    pid_t child = -1;
    const int error = ::posix_spawn(&child, program, &actions, &attributes, argv.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return fail_errno("start " + std::string(words[1]), error);
    return child;
  }

  void answer() {
    const auto message = sys::receive_message(control_.get(), 256);
    if (!message || message->bytes.empty()) {
      control_.reset();  // SIGCHLD tells the rest
      return;
    }
    switch (static_cast<GatewayMessage>(message->bytes.front())) {
      case GatewayMessage::kReady:
        notify_systemd("READY=1");
        return start_precompiling();
      case GatewayMessage::kWarden:
        return give("warden", start_warden());
      case GatewayMessage::kSender:
        return give("webhooks", start_sender());
    }
  }

  // Each answers with the gateway's end of a socket to what was started.
  // One that is there already outlives its gateway: the sessions in it are the next one's.
  Result<Fd> start_warden() {
    pollfd ended{.fd = warden_.get(), .events = 0, .revents = 0};
    if (!warden_.valid() || ::poll(&ended, 1, 0) != 0) {
      TRY_ASSIGN(auto sockets, sys::make_seqpacket());
      TRY_ASSIGN(const pid_t child,
                 start({"belljar", "warden"}, {{sockets[1].get(), warden::kClientFd}}));
      helpers_.emplace(child, "warden_ended");
      warden_ = std::move(sockets[0]);
    }
    Fd given = Fd::adopt(::fcntl(warden_.get(), F_DUPFD_CLOEXEC, 0));
    if (!given.valid()) return fail_errno("F_DUPFD_CLOEXEC");
    return given;
  }
  Result<Fd> start_sender() {
    TRY_ASSIGN(auto sockets, sys::make_seqpacket());
    TRY_ASSIGN(const Fd text, sys::sealed_memfd("belljar-settings", api::describe(settings_)));
    const std::string uid = std::to_string(::geteuid() == 0 ? kSenderUid : uid_);
    TRY_ASSIGN(const pid_t child,
               start({"belljar", "webhooks", uid.c_str()},
                     {{sockets[1].get(), kSenderGatewayFd}, {text.get(), kSenderSettingsFd}}));
    helpers_.emplace(child, "webhooks_ended");
    return std::move(sockets[0]);
  }

  // Once, and not before runs are taken: whoever comes first does not wait for it.
  void start_precompiling() {
    // A gateway of a fleet compiles nothing.
    const bool without_cells = role_ == kGatewayRole && !settings_.fleet.empty();
    if (precompiling_ != 0 || settings_.headers == kNoHeaders || without_cells) return;
    std::vector<const char*> words{"belljar", "prepare", "--background", "--headers",
                                   settings_.headers.c_str()};
    if (!settings_.runtimes.empty()) {
      words.insert(words.end(), {"--runtimes", settings_.runtimes.c_str()});
    }
    const Result<pid_t> child = start(words, {});
    if (!child) return log_event("headers_failed", {{"reason", child.error().message}});
    precompiling_ = *child;
    helpers_.emplace(*child, "headers_ended");
  }

  void give(std::string_view name, const Result<Fd>& socket) {
    const auto sent = [&]() -> Status {
      if (!socket) return std::unexpected(socket.error());
      const int theirs = socket->get();
      return sys::send_message(control_.get(), name, {&theirs, 1});
    };
    if (const Status give = sent(); !give) {
      log_event(std::string(name) + "_failed", {{"reason", give.error().message}});
      (void)sys::send_message(control_.get(), give.error().message.substr(0, 200), {}).has_value();
    }
  }

  void stop() {
    if (!stopping_) notify_systemd("STOPPING=1");
    stopping_ = true;
    if (gateway_ > 0) ::kill(gateway_, SIGTERM);
    if (helpers_.contains(precompiling_)) ::kill(precompiling_, SIGTERM);
  }

  // Whether all is over.
  Result<bool> reap() {
    int status = 0;
    for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
         pid = ::waitpid(-1, &status, WNOHANG)) {
      if (const auto helper = helpers_.extract(pid)) {
        const bool wanted = stopping_ && pid == precompiling_;
        if (status != 0 && !wanted) log_event(helper.mapped(), {{"status", status}});
        continue;
      }
      if (pid != gateway_) continue;
      gateway_ = -1;
      control_.reset();
      if (stopping_) {
        warden_.reset();  // and with its last client the warden ends
        continue;
      }
      log_event("gateway_ended", {{"status", status}});
      if (WIFEXITED(status) && WEXITSTATUS(status) == kGatewayHopeless) return true;
      // One that cannot start is not started for ever.
      constexpr std::size_t kMost = 5;
      while (!started_.empty() && started_.front() + std::chrono::seconds(30) < sys::now())
        started_.pop_front();
      if (started_.size() >= kMost) return true;
      TRY(start_gateway());
    }
    return stopping_ && gateway_ < 0 && helpers_.empty();
  }

  const api::Settings& settings_;
  const uid_t uid_;
  const Listeners listeners_;
  const std::string gateway_program_;
  const std::string role_;
  Fd control_;
  Fd warden_;  // our copy of the gateway's connection
  pid_t gateway_ = -1;
  std::map<pid_t, std::string_view> helpers_;  // and what the log calls their end
  std::deque<Nanoseconds> started_;
  pid_t precompiling_ = 0;  // what does it or did it; 0: not begun
  bool stopping_ = false;
};

Result<int> serve(const api::Settings& settings) {
  if (!settings.fleet.empty() && settings.ledger.empty()) {
    return fail(Code::kInvalid,
                "fleet: a gateway of a fleet shares its ledger: name the database with --ledger");
  }
  TRY_ASSIGN(const api::Endpoint endpoint, api::parse_endpoint(settings.listen));
  TRY_ASSIGN(const uid_t uid, gateway_uid(settings));
  TRY_ASSIGN(const Fd lock, lock_state(settings));
  TRY(prepare_state(settings, uid));
  std::string gateway = "/proc/self/exe";
  if (!settings.ledger.empty()) {
    TRY_ASSIGN(gateway, fleet_program());
  }
  Supervisor::Listeners listeners;
  TRY_ASSIGN(listeners.main, listen_on(endpoint));
  TRY_ASSIGN(listeners.executor, listen_on_loopback(settings.executor_port));
  TRY_ASSIGN(listeners.e2b, listen_on_loopback(settings.e2b_port));
  TRY_ASSIGN(const auto pysandbox, api::pysandbox_ports(settings));
  for (const std::uint16_t port : pysandbox) {
    TRY_ASSIGN(Fd each, listen_on_loopback(port));
    listeners.pysandbox.push_back(std::move(each));
  }
  const std::string host = endpoint.address.find(':') == std::string::npos
                               ? endpoint.address
                               : "[" + endpoint.address + "]";
  say((settings.tls_certificate.empty() ? "listening on http://" : "listening on https://") + host +
      ":" + std::to_string(port_of(listeners.main.get())));
  return Supervisor(settings, uid, std::move(listeners), std::move(gateway), kGatewayRole).run();
}

}  // namespace

Result<int> serve_command(Invocation& invocation) {
  TRY_ASSIGN(const api::Settings settings, read_settings(invocation.arguments));
  return serve(settings);
}

// The same service with other defaults: any setting may be said as for serve.
Result<int> pysandbox_command(Invocation& invocation) {
  api::Settings usual;
  usual.policy = "pysandbox";
  usual.pysandbox_ports = "1765-1774";
  TRY_ASSIGN(api::Settings settings, read_settings(invocation.arguments, std::move(usual)));
  if (const auto ports = invocation.arguments.value("ports")) {
    settings.pysandbox_ports = *ports;
    TRY(api::pysandbox_ports(settings));
  }
  return serve(settings);
}

// No ledger and no key of one: what stands beside hostile code knows NATS only.
Result<int> worker_command(Invocation& invocation) {
  TRY_ASSIGN(api::Settings settings, read_settings(invocation.arguments));
  if (settings.fleet.empty()) {
    return fail(Code::kInvalid, "fleet: a worker needs --fleet nats://HOST:PORT");
  }
  settings.ledger.clear();
  settings.ledger_password_file.clear();
  TRY_ASSIGN(const uid_t uid, gateway_uid(settings));
  TRY_ASSIGN(const Fd lock, lock_state(settings));
  TRY(prepare_state(settings, uid));
  TRY_ASSIGN(std::string program, fleet_program());
  return Supervisor(settings, uid, {}, std::move(program), kWorkerRole).run();
}

}  // namespace belljar::app
