#include "warden/server.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/sys.h"
#include "model/policy.h"
#include "warden/mapped_spec.h"
#include "warden/request_check.h"

namespace belljar::warden {
namespace {

constexpr std::size_t kMaxCells = 3840;  // with those that wait, no more than there are leases
constexpr std::size_t kMaxConnections = 1024;
constexpr std::uint64_t kFirst = 0;            // the connection that a warden is started with
constexpr std::uint64_t kNobody = UINT64_MAX;  // that of cells which are kept for whoever comes
constexpr std::uint32_t kMaxWaiting = 256;
constexpr Nanoseconds kQuiet = std::chrono::milliseconds(1);
constexpr Nanoseconds kTeardownPatience = std::chrono::seconds(5);
constexpr Nanoseconds kPreparePatience = std::chrono::seconds(10);
constexpr Nanoseconds kSortPool = std::chrono::seconds(5);
// How long a session's cell is kept without a client.
constexpr Nanoseconds kOrphanPatience = std::chrono::minutes(1);

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
      maker_(host_, cgroups_, std::move(lease_file)),
      pool_(host_, maker_) {
  connections_.emplace(kFirst, std::move(client));
}

Status Server::serve() {
  TRY(clients_.open());
  TRY(resting_.open());
  TRY(clients_.add(connections_.at(kFirst).get(), kFirst));
  hello(kFirst);
  prepare_ahead();
  bool swept = false;
  while (true) {
    // Before anything is waited for: also the first word may not have gone out.
    for (const std::uint64_t connection : std::exchange(gone_, {})) disconnect(connection);
    if (connections_.empty() && cells_.empty() && leaving_.empty()) {
      if (!swept) maker_.sweep();
      return {};
    }
    std::vector<pollfd> waits{{.fd = clients_.fd(), .events = POLLIN, .revents = 0},
                              {.fd = resting_.fd(), .events = POLLIN, .revents = 0}};
    const std::size_t first_cell = waits.size();
    // Parallel to the rest of `waits`: whose descriptor it is.
    std::vector<CellRun*> owners;
    Nanoseconds deadline = sys::now() + std::chrono::hours(1);
    const auto watch = [&](CellRun& cell) {
      for (const int fd : cell.waits()) {
        waits.push_back({.fd = fd, .events = POLLIN, .revents = 0});
        owners.push_back(&cell);
      }
      deadline = std::min(deadline, cell.deadline());
    };
    for (const auto& [name, cell] : cells_) watch(*cell);
    for (const auto& cell : leaving_) {
      watch(*cell);
      if (cell->is_over()) deadline = std::min(deadline, sys::now() + kQuiet);
    }
    // All that one which waits can tell is its death: whoever wants to use it finds that out, and
    // settle() looks now and then.
    pool_.each([&watch](CellRun& cell) {
      if (!cell.is_parked()) watch(cell);
    });
    const std::size_t first_zygote = waits.size();
    std::vector<Zygote*> zygotes;
    pool_.each_zygote([&](Zygote& zygote) {
      waits.push_back({.fd = zygote.fd(), .events = POLLIN, .revents = 0});
      zygotes.push_back(&zygote);
    });
    const bool wants_quiet = is_quiet() && pool_.wants_more();
    if (wants_quiet || !swept) deadline = std::min(deadline, sys::now() + kQuiet);
    if (pool_.size() > 0) deadline = std::min(deadline, sort_pool_at_);
    for (const Preparation& wish : preparations_) deadline = std::min(deadline, wish.deadline);
    for (auto at = orphans(); at != kept_.end(); ++at) {
      deadline = std::min(deadline, at->second.deadline);
    }
    const Nanoseconds left = std::max(deadline - sys::now(), Nanoseconds{});
    const timespec timeout{.tv_sec = left.count() / 1'000'000'000,
                           .tv_nsec = left.count() % 1'000'000'000};
    const int ready = ::ppoll(waits.data(), waits.size(), &timeout, nullptr);
    if (ready < 0 && errno != EINTR) return fail_errno("ppoll");
    // What others have left is in nobody's way: no run waits for its removal.
    if (ready == 0 && !std::exchange(swept, true)) maker_.sweep();
    for (std::size_t i = 0; ready > 0 && i < zygotes.size(); ++i) {
      if (waits[first_zygote + i].revents != 0) hear(*zygotes[i]);
    }
    for (std::size_t i = first_cell; ready > 0 && i < first_zygote; ++i) {
      if (waits[i].revents == 0) continue;
      CellRun& cell = *owners[i - first_cell];
      // Only descriptors that are still the cell's: handling one may have closed another.
      const std::vector<int> current = cell.waits();
      if (std::ranges::find(current, waits[i].fd) != current.end()) cell.ready(waits[i].fd);
    }
    if (ready > 0 && waits[1].revents != 0) {
      for (const CellName& name : resting_.heard()) hear(*find(name));
    }
    // Requests last: they open descriptors, which may get the number of one that was just closed.
    if (ready > 0 && waits[0].revents != 0) {
      for (const std::uint64_t connection : clients_.hear()) {
        if (connections_.contains(connection)) handle_request(connection);
      }
    }
    settle();
    pool_.promote();
    pool_.fill(ready == 0 && wants_quiet);
    announce(sys::now());
  }
}

CellRun* Server::find(CellName name) {
  wake(name);
  const auto cell = cells_.find(name);
  return cell == cells_.end() ? nullptr : cell->second.get();
}

void Server::wake(CellName name) {
  if (std::unique_ptr<CellRun> cell = resting_.take(name)) cells_.emplace(name, std::move(cell));
}

void Server::wake(const std::vector<CellName>& names) {
  for (const CellName& name : names) wake(name);
}

// One thing that it has to say, which may change what else it has; the rest is for the next time.
void Server::hear(CellRun& cell) {
  for (const int fd : cell.waits()) {
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 0) == 1) return cell.ready(fd);
  }
}

std::map<CellName, Server::Kept>::iterator Server::orphans() {
  return kept_.lower_bound({.connection = kNobody, .id = 0});
}

bool Server::is_quiet() const {
  return std::ranges::all_of(cells_, [](const auto& cell) { return cell.second->is_paused(); });
}

template <typename Visit>
void Server::each_cell(Visit visit) {
  for (const auto& [name, cell] : cells_) visit(*cell);
  for (const auto& cell : leaving_) visit(*cell);
  pool_.each(visit);
}

void Server::hear(Zygote& zygote) {
  std::optional<Birth> birth = zygote.hear();
  const bool failed = zygote.has_failed();
  bool known = false;
  each_cell([&](CellRun& cell) {
    if (cell.birth() == 0) return;
    if (birth && cell.birth() == birth->id) {
      known = true;
      birth->pidfd.valid() ? cell.born(*std::move(birth)) : cell.stillborn();
    } else if (failed && cell.is_child_of(zygote)) {
      cell.stillborn();
    }
  });
  // Too late: nobody waits for it any more.
  if (birth && !known && birth->pidfd.valid()) {
    siginfo_t info{};
    ::syscall(SYS_pidfd_send_signal, birth->pidfd.get(), SIGKILL, nullptr, 0);
    ::waitid(P_PIDFD, static_cast<id_t>(birth->pidfd.get()), &info, WEXITED);
  }
}

void Server::hello(std::uint64_t connection) {
  Reply reply{.kind = ReplyKind::kHello};
  utsname names{};
  ::uname(&names);
  copy_text(reply.host.kernel, names.release);
  copy_text(reply.host.cgroup_mode, cgroups_.mode());
  copy_text(reply.host.freezer, cgroups_.freezer());
  reply.host.landlock_abi = host_.landlock_abi;
  reply.host.rootless = host_.privilege == cell::Privilege::kRoot ? 0 : 1;
  reply.host.walls = cgroups_.walls().bits();
  send(connection, reply);
}

// What runs on behalf of a client that is gone ends with it, but for sessions that it had us keep;
// the first one's end is everybody's.
void Server::disconnect(std::uint64_t connection) {
  const bool all = connection == kFirst;
  wake(all ? resting_.all() : resting_.of(connection));
  std::vector<CellName> kept;
  for (const auto& [name, cell] : cells_) {
    if (!all && name.connection != connection) continue;
    if (!all && kept_.contains(name)) {
      kept.push_back(name);
    } else {
      cell->end(EndReason::kCancelled);
    }
  }
  for (const CellName& name : kept) orphan(name, *cells_.at(name));
  if (all) {
    for (const auto& [number, socket] : connections_) clients_.remove(socket.get());
    connections_.clear();
    std::ranges::move(pool_.drain(), std::back_inserter(leaving_));
  } else if (const auto socket = connections_.find(connection); socket != connections_.end()) {
    clients_.remove(socket->second.get());
    connections_.erase(socket);
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
  CellRun* const cell = find(name);
  switch (request.kind) {
    case RequestKind::kRun: {
      const Status started = start(name, request, std::move(message->fds));
      if (!started) refuse(name, started.error());
      return;
    }
    case RequestKind::kEnd:
      if (cell != nullptr) cell->end(request.reason);
      return;
    case RequestKind::kSignal:
      if (cell != nullptr) cell->signal_program(request.signal);
      return;
    case RequestKind::kPause:
    case RequestKind::kResume: {
      if (cell == nullptr) return;
      const Status done =
          request.kind == RequestKind::kPause ? cell->pause() : resume(*cell, request);
      // One that cannot be stopped, or started again, is of no use to anybody.
      if (!done) cell->end(EndReason::kCancelled);
      return;
    }
    case RequestKind::kHello:
      hello(connection);
      return;
    case RequestKind::kKeep:
      if (cell != nullptr && !keep(name, std::move(message->fds))) cell->end(EndReason::kCancelled);
      return;
    case RequestKind::kFiles:
      if (cell != nullptr && !ask_files(*cell, message->fds)) cell->end(EndReason::kCancelled);
      return;
    case RequestKind::kAdopt:
      adopt(connection);
      return;
    case RequestKind::kPool:
      // Only whoever answers for this warden says what it may keep.
      if (connection == kFirst) pool_.resize(std::min(request.cells, kMaxWaiting));
      if (pool_.size() > 0) maker_.keep_networks();
      return;
    case RequestKind::kPrepare:
      // Advice: what is wrong with it is told when a run comes.
      if (!prepare(name, request, std::move(message->fds)))
        send(connection, {.kind = ReplyKind::kPrepared, .id = name.id});
      return;
    case RequestKind::kConnect: {
      const Status connected = connect(std::move(message->fds));
      if (!connected) refuse(name, connected.error());
      return;
    }
  }
  refuse(name, {.code = Code::kInvalid, .message = "request: unknown kind"});
}

Status Server::resume(CellRun& cell, const Request& request) {
  const Limits highest = highest_limits();
  const auto fits = [](std::int64_t wanted, Nanoseconds most) {
    return wanted > 0 && Nanoseconds(wanted) <= most;
  };
  if (!fits(request.wall_ns, highest.wall)) return fail(Code::kDenied, "wall: out of range");
  if (!fits(request.cpu_ns, highest.cpu)) return fail(Code::kDenied, "cpu: out of range");
  return cell.resume(Nanoseconds(request.wall_ns), Nanoseconds(request.cpu_ns));
}

Status Server::keep(CellName name, std::vector<Fd> fds) {
  if (fds.size() != kKeptFds || !cells_.at(name)->is_session()) {
    return fail(Code::kInvalid, "keep: needs a session and its descriptors");
  }
  TRY(sys::check_sealed(fds.back().get()));
  kept_[name].fds = std::move(fds);
  return {};
}

Status Server::ask_files(CellRun& cell, const std::vector<Fd>& fds) {
  if (fds.size() != 2) return fail(Code::kInvalid, "files: needs a request and a pipe");
  TRY(sys::check_sealed(fds[0].get()));
  return cell.ask_files(fds[0].get(), fds[1].get());
}

// Without a client it stands still.
void Server::orphan(CellName name, CellRun& cell) {
  const CellName orphaned{.connection = kNobody, .id = name.id};
  auto kept = kept_.extract(name);
  kept.mapped().was_running = !cell.is_paused();
  kept.mapped().deadline = sys::now() + kOrphanPatience;
  if (find(orphaned) != nullptr || !cell.pause()) return cell.end(EndReason::kCancelled);
  auto moved = cells_.extract(name);
  moved.key() = kept.key() = orphaned;
  cells_.insert(std::move(moved));
  kept_.insert(std::move(kept));
}

void Server::adopt(std::uint64_t connection) {
  const auto orphan = orphans();
  if (orphan == kept_.end()) return send(connection, {.kind = ReplyKind::kAdopted});
  const CellName name{.connection = connection, .id = orphan->first.id};
  wake(orphan->first);
  if (find(name) != nullptr) {
    cells_.at(orphan->first)->end(EndReason::kCancelled);
    return send(connection, {.kind = ReplyKind::kAdopted});
  }
  auto cell = cells_.extract(orphan->first);
  auto kept = kept_.extract(orphan);
  cell.key() = kept.key() = name;
  std::vector<int> fds;
  for (const Fd& fd : kept.mapped().fds) fds.push_back(fd.get());
  const Reply reply{.kind = ReplyKind::kAdopted,
                    .id = name.id,
                    .was_running = kept.mapped().was_running ? 1U : 0U};
  // In place first: a client that has gone meanwhile makes an orphan of it again.
  cells_.insert(std::move(cell));
  kept_.insert(std::move(kept));
  send(connection, reply, fds);
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
  // A client that does not read must not hold up the others' cells.
  TRY(sys::set_nonblocking(fds[0].get()));
  TRY(clients_.add(fds[0].get(), last_connection_ + 1));
  connections_.emplace(++last_connection_, std::move(fds[0]));
  return {};
}

Status Server::start(CellName name, const Request& request, std::vector<Fd> fds) {
  const Nanoseconds since = sys::now();
  if (fds.size() != run_descriptors(request))
    return fail(Code::kInvalid, "request: wrong number of descriptors");
  if (find(name) != nullptr) return fail(Code::kInvalid, "request: this id is in use");
  if (cells_.size() + resting_.size() >= kMaxCells)
    return fail(Code::kExhausted, "too many cells at once");

  TRY_ASSIGN(const MappedSpec mapped, MappedSpec::open(fds[0]));
  TRY_ASSIGN(const cell::DecodedSpec decoded, cell::decode(mapped.bytes()));
  TRY_ASSIGN(const Bundle files, parse_bundle(decoded.bundle));
  TRY(cell::check_spec(decoded.spec, files, highest_limits()));

  GivenRun run{
      .memory = std::move(fds[0]),
      .session = request.session != 0,
      .descriptors = {.in = std::move(fds[1]), .out = std::move(fds[2]), .err = std::move(fds[3])},
      .since = since};
  if (run.session && !cgroups_.can_freeze()) {
    return fail(Code::kUnavailable,
                "sessions are paused by a freezer of cgroups, v2 or v1, and here is none");
  }
  RunDescriptors& descriptors = run.descriptors;
  if (request.with_artifacts != 0) descriptors.artifacts = std::move(fds[4]);
  if (request.with_program != 0) descriptors.program = std::move(fds.back());
  if (decoded.spec.program_by_descriptor != descriptors.program.valid() ||
      decoded.spec.artifacts.empty() == descriptors.artifacts.valid()) {
    return fail(Code::kInvalid, "request: the spec and the descriptors do not agree");
  }
  if (Pool::serves(decoded.spec, files)) {
    pool_.expect(decoded.spec, false);
    if (std::unique_ptr<CellRun> cell = pool_.take(decoded.spec)) {
      if (cell->hand_over(decoded.spec, run)) {
        if (request.session != 0) cell->make_session();
        cells_.emplace(name, std::move(cell));
        return {};
      }
      // It has died meanwhile.
      cell->discard();
      leaving_.push_back(std::move(cell));
    }
  }
  return start_cold(name, decoded.spec, files, std::move(run));
}

Status Server::start_again(CellName name, GivenRun run) {
  TRY_ASSIGN(const MappedSpec mapped, MappedSpec::open(run.memory));
  TRY_ASSIGN(const cell::DecodedSpec decoded, cell::decode(mapped.bytes()));
  TRY_ASSIGN(const Bundle files, parse_bundle(decoded.bundle));
  return start_cold(name, decoded.spec, files, std::move(run));
}

Status Server::start_cold(CellName name,
                          const cell::CellSpec& spec,
                          const Bundle& files,
                          GivenRun run) {
  if (!ahead_) {
    TRY_ASSIGN(ahead_, maker_.make());
  }
  CellResources resources = *std::move(ahead_);
  ahead_.reset();
  TRY(maker_.fit(resources.net, spec.loopback));
  const bool session = run.session;
  TRY_ASSIGN(auto cell, CellRun::start(host_, spec, files, std::move(resources),
                                       std::move(run.descriptors), run.since));
  if (session) cell->make_session();
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

void Server::send(std::uint64_t connection, const Reply& reply, std::span<const int> fds) {
  const auto socket = connections_.find(connection);
  if (socket == connections_.end()) return;
  const std::string_view bytes(reinterpret_cast<const char*>(&reply), sizeof reply);
  // Not at once: whoever sends may be walking through the cells.
  if (!sys::send_message(socket->second.get(), bytes, fds)) gone_.push_back(connection);
}

// Does what is due in each cell, tells the client what happened, and lets go of what is over.
void Server::settle() {
  const Nanoseconds now = sys::now();
  for (auto at = orphans(); at != kept_.end(); ++at) {
    if (at->second.deadline <= now) find(at->first)->end(EndReason::kCancelled);
  }
  // With a pool the answer does not wait until the cell is taken down.
  const bool early = pool_.size() > 0;
  for (auto at = cells_.begin(); at != cells_.end();) {
    CellRun& cell = *at->second;
    if (!cell.is_over() && cell.deadline() <= now) cell.tick();
    if (const auto bill = cell.take_pause()) {
      if (*bill) {
        send(at->first.connection,
             {.kind = ReplyKind::kPaused, .id = at->first.id, .report = **bill});
      } else {
        cell.end(EndReason::kCancelled);
      }
    }
    if (!cell.is_over() && !(early && cell.is_empty())) {
      const bool rests = cell.is_at_rest() && resting_.put(at->first, at->second);
      at = rests ? cells_.erase(at) : std::next(at);
      continue;
    }
    const CellName name = at->first;
    kept_.erase(name);
    std::unique_ptr<CellRun> done = std::move(at->second);
    at = cells_.erase(at);
    if (std::optional<GivenRun> run = done->take_back()) {
      leaving_.push_back(std::move(done));
      const Status started = start_again(name, *std::move(run));
      if (!started) refuse(name, started.error());
      continue;
    }
    conclude(name, *done);
    if (!done->is_over()) leaving_.push_back(std::move(done));
  }
  std::erase_if(leaving_, [this, now](const std::unique_ptr<CellRun>& cell) {
    if (!cell->is_over() && cell->deadline() <= now) cell->tick();
    // A killed process leaves its cgroup a moment after it was reaped: then the next look does it.
    if (!cell->is_over()) return false;
    if (!cell->has_left()) return cell->teardown() > kTeardownPatience;
    if (!cell->is_session()) maker_.recycle(cell->resources());
    return cell->remove({}) || cell->teardown() > kTeardownPatience;
  });
  if (sort_pool_at_ <= now) {
    sort_pool_at_ = now + kSortPool;
    pool_.each([](CellRun& cell) {
      if (cell.is_parked()) hear(cell);
    });
    std::ranges::move(pool_.sort_out(now), std::back_inserter(leaving_));
  }
}

void Server::conclude(CellName name, CellRun& cell) {
  Result<CellReport> report = cell.report();
  Status removed;
  if (report && cell.is_over()) {
    if (cell.has_left() && !cell.is_session()) maker_.recycle(cell.resources());
    removed = cell.remove(kTeardownPatience);
    report->teardown_ns = cell.teardown().count();
  }
  if (report && removed) {
    send(name.connection, {.kind = ReplyKind::kEnded, .id = name.id, .report = *report});
  } else {
    refuse(name, (report ? removed.error() : report.error()).context("cell"));
  }
}

Status Server::prepare(CellName name, const Request& request, std::vector<Fd> fds) {
  if (request.with_program != 0 || fds.size() != 1) {
    return fail(Code::kInvalid, "request: wrong number of descriptors");
  }
  TRY_ASSIGN(const MappedSpec mapped, MappedSpec::open(fds[0]));
  TRY_ASSIGN(const cell::DecodedSpec decoded, cell::decode(mapped.bytes()));
  TRY_ASSIGN(const Bundle files, parse_bundle(decoded.bundle));
  TRY(cell::check_spec(decoded.spec, files, highest_limits()));
  if (!Pool::serves(decoded.spec, files) || pool_.size() == 0 ||
      preparations_.size() >= kMaxCells) {
    return fail(Code::kUnavailable, "nothing waits for such a run");
  }
  pool_.expect(decoded.spec, true);
  preparations_.push_back(
      {.name = name, .spec = decoded.spec, .deadline = sys::now() + kPreparePatience});
  return {};
}

void Server::announce(Nanoseconds now) {
  std::erase_if(preparations_, [&](const Preparation& wish) {
    if (!pool_.has_ready(wish.spec) && now < wish.deadline) return false;
    send(wish.name.connection, {.kind = ReplyKind::kPrepared, .id = wish.name.id});
    return true;
  });
}

void Server::prepare_ahead() {
  if (ahead_) return;
  Result<CellResources> made = maker_.make();
  // Tried again, and reported, when a request needs them.
  if (made) ahead_ = *std::move(made);
}

}  // namespace belljar::warden
