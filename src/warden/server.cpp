#include "warden/server.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/sys.h"
#include "model/policy.h"
#include "warden/mapped_spec.h"
#include "warden/request_check.h"

namespace belljar::warden {
namespace {

constexpr std::size_t kMaxCells = 1024;
constexpr std::size_t kMaxConnections = 1024;
constexpr std::uint64_t kFirst = 0;  // the connection that a warden is started with

template <std::size_t kSize>
void copy_text(std::array<char, kSize>& to, std::string_view text) {
  const std::size_t size = std::min(text.size(), kSize - 1);
  std::memcpy(to.data(), text.data(), size);
}

}  // namespace

Server::Server(Fd client, cell::Host host, cell::CgroupHost cgroups, std::string lease_file)
    : last_connection_(kFirst),
      host_(std::move(host)),
      cgroups_(std::move(cgroups)),
      maker_(host_, cgroups_, std::move(lease_file)) {
  connections_.emplace(kFirst, std::move(client));
}

Status Server::serve() {
  hello();
  prepare_ahead();
  maker_.sweep();
  while (!connections_.empty() || !cells_.empty()) {
    std::vector<pollfd> waits;
    std::vector<std::uint64_t> connections;
    for (const auto& [number, socket] : connections_) {
      connections.push_back(number);
      waits.push_back({.fd = socket.get(), .events = POLLIN, .revents = 0});
    }
    Nanoseconds deadline = sys::now() + std::chrono::hours(1);
    for (const auto& [name, cell] : cells_) {
      for (const int fd : cell->waits())
        waits.push_back({.fd = fd, .events = POLLIN, .revents = 0});
      deadline = std::min(deadline, cell->deadline());
    }
    const Nanoseconds left = std::max(deadline - sys::now(), Nanoseconds{});
    const timespec timeout{.tv_sec = left.count() / 1'000'000'000,
                           .tv_nsec = left.count() % 1'000'000'000};
    if (::ppoll(waits.data(), waits.size(), &timeout, nullptr) < 0 && errno != EINTR) {
      return fail_errno("ppoll");
    }
    for (std::size_t i = connections.size(); i < waits.size(); ++i) {
      if (waits[i].revents == 0) continue;
      for (const auto& [name, cell] : cells_) {
        // Only descriptors that are still the cell's: handling one may have closed another.
        const std::vector<int> current = cell->waits();
        if (std::ranges::find(current, waits[i].fd) != current.end()) {
          cell->ready(waits[i].fd);
          break;
        }
      }
    }
    // Requests last: they open descriptors, which may get the number of one that was just closed.
    for (std::size_t i = 0; i < connections.size(); ++i) {
      if (waits[i].revents != 0 && connections_.contains(connections[i]))
        handle_request(connections[i]);
    }
    settle();
  }
  return {};
}

void Server::hello() {
  Reply reply{.kind = ReplyKind::kHello};
  utsname names{};
  ::uname(&names);
  copy_text(reply.host.kernel, names.release);
  copy_text(reply.host.cgroup_mode, cgroups_.mode());
  reply.host.landlock_abi = host_.landlock_abi;
  reply.host.rootless = host_.privilege == cell::Privilege::kRoot ? 0 : 1;
  reply.host.walls = cgroups_.walls().bits();
  send(kFirst, reply);
}

// What runs on behalf of a client that is gone ends with it; the first one's end is everybody's.
void Server::disconnect(std::uint64_t connection) {
  const bool all = connection == kFirst;
  for (const auto& [name, cell] : cells_) {
    if (all || name.connection == connection) cell->end(EndReason::kCancelled);
  }
  if (all) {
    connections_.clear();
  } else {
    connections_.erase(connection);
  }
}

void Server::handle_request(std::uint64_t connection) {
  Result<sys::Message> message =
      sys::receive_message(connections_.at(connection).get(), sizeof(Request));
  if (!message && message.error().code == Code::kInvalid) return;  // too long: dropped with its fds
  if (!message || message->bytes.empty()) {
    disconnect(connection);
    return;
  }
  CellName name{.connection = connection};
  const Result<Request> checked = read_request(message->bytes);
  if (!checked) {
    refuse(name, checked.error());
    return;
  }
  const Request& request = *checked;
  name.id = request.id;
  // A cell that is over already is no error: the two messages crossed.
  const auto cell = cells_.find(name);
  switch (request.kind) {
    case RequestKind::kRun: {
      const Status started = start(name, request, std::move(message->fds));
      if (!started) refuse(name, started.error());
      return;
    }
    case RequestKind::kEnd:
      if (cell != cells_.end()) cell->second->end(request.reason);
      return;
    case RequestKind::kSignal:
      if (cell != cells_.end()) cell->second->signal_program(request.signal);
      return;
    case RequestKind::kConnect: {
      const Status connected = connect(std::move(message->fds));
      if (!connected) refuse(name, connected.error());
      return;
    }
  }
  refuse(name, {.code = Code::kInvalid, .message = "request: unknown kind"});
}

Status Server::connect(std::vector<Fd> fds) {
  if (fds.size() != 1) return fail(Code::kInvalid, "request: wrong number of descriptors");
  if (connections_.size() >= kMaxConnections) {
    return fail(Code::kExhausted, "too many connections at once");
  }
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fds[0].get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
      type != SOCK_SEQPACKET) {
    return fail(Code::kInvalid, "request: the descriptor is no SOCK_SEQPACKET socket");
  }
  connections_.emplace(++last_connection_, std::move(fds[0]));
  return {};
}

Status Server::start(CellName name, const Request& request, std::vector<Fd> fds) {
  const Nanoseconds since = sys::now();
  if (fds.size() != run_descriptors(request))
    return fail(Code::kInvalid, "request: wrong number of descriptors");
  if (cells_.contains(name)) return fail(Code::kInvalid, "request: this id is in use");
  if (cells_.size() >= kMaxCells) return fail(Code::kExhausted, "too many cells at once");

  TRY_ASSIGN(const MappedSpec mapped, MappedSpec::open(fds[0]));
  TRY_ASSIGN(const cell::DecodedSpec decoded, cell::decode(mapped.bytes()));
  TRY_ASSIGN(const Bundle files, parse_bundle(decoded.bundle));
  TRY(cell::check_spec(decoded.spec, files, highest_limits()));

  RunDescriptors descriptors{
      .in = std::move(fds[1]), .out = std::move(fds[2]), .err = std::move(fds[3])};
  if (request.with_artifacts != 0) descriptors.artifacts = std::move(fds[4]);
  if (request.with_program != 0) descriptors.program = std::move(fds.back());
  if (decoded.spec.program_by_descriptor != descriptors.program.valid() ||
      decoded.spec.artifacts.empty() == descriptors.artifacts.valid()) {
    return fail(Code::kInvalid, "request: the spec and the descriptors do not agree");
  }
  if (!ahead_) {
    TRY_ASSIGN(ahead_, maker_.make());
  }
  CellResources resources = *std::move(ahead_);
  ahead_.reset();
  TRY_ASSIGN(auto cell, CellRun::start(host_, decoded.spec, files, std::move(resources),
                                       std::move(descriptors), since));
  cells_.emplace(name, std::move(cell));
  return {};
}

void Server::refuse(CellName name, const Error& error) {
  Reply reply{.kind = ReplyKind::kRefused, .id = name.id};
  // What the host refuses to us is no refusal of the client's wish.
  const bool by_host = error.code == Code::kDenied && error.sys != 0;
  reply.error_code = static_cast<std::uint32_t>(by_host ? Code::kUnavailable : error.code);
  copy_text(reply.text, error.message);
  send(name.connection, reply);
}

void Server::send(std::uint64_t connection, const Reply& reply) {
  const auto socket = connections_.find(connection);
  if (socket == connections_.end()) return;
  const std::string_view bytes(reinterpret_cast<const char*>(&reply), sizeof reply);
  if (!sys::send_message(socket->second.get(), bytes, {})) disconnect(connection);
}

// Does what is due in each cell, tells the client what happened, and lets go of what is over.
void Server::settle() {
  const Nanoseconds now = sys::now();
  for (auto at = cells_.begin(); at != cells_.end();) {
    CellRun& cell = *at->second;
    if (!cell.is_over() && cell.deadline() <= now) cell.tick();
    if (cell.take_started())
      send(at->first.connection, {.kind = ReplyKind::kStarted, .id = at->first.id});
    if (!cell.is_over()) {
      ++at;
      continue;
    }
    const CellName name = at->first;
    const Result<CellReport> report = std::move(cell).finish();
    at = cells_.erase(at);
    if (report) {
      send(name.connection, {.kind = ReplyKind::kEnded, .id = name.id, .report = *report});
    } else {
      refuse(name, report.error().context("cell"));
    }
  }
}

void Server::prepare_ahead() {
  if (ahead_) return;
  Result<CellResources> made = maker_.make();
  // Tried again, and reported, when a request needs them.
  if (made) ahead_ = *std::move(made);
}

}  // namespace belljar::warden
