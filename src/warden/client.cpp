#include "warden/client.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/bundle.h"
#include "base/sys.h"
#include "warden/warden_main.h"

namespace belljar::warden {
namespace {

// A socket whose other end is gone says so in several ways; to a caller they are one.
Error without_warden(Error error) {
  if (error.sys != EPIPE && error.sys != ECONNRESET) return error;
  return {.code = Code::kUnavailable, .sys = error.sys, .message = "the warden has ended"};
}

// What ps(1) shows of this process: as much of it as there is room for in place of what it was
// called with.
void show_as(std::string_view words, char** argv) {
  const char* end = argv[0];
  for (char** word = argv; *word != nullptr && *word == end; ++word) end += std::strlen(*word) + 1;
  const auto room = static_cast<std::size_t>(end - argv[0]);
  std::memset(argv[0], 0, room);
  words.copy(argv[0], room - 1);
}

// The child of spawn(): nothing of its parent is left to it but stdout, stderr and the socket.
[[noreturn]] void become_warden(int socket, char** argv) {
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const bool ready = ::dup2(nothing, STDIN_FILENO) == STDIN_FILENO &&
                     (socket == kClientFd || ::dup2(socket, kClientFd) == kClientFd) &&
                     ::close_range(kClientFd + 1, ~0U, 0) == 0;
  show_as(std::string_view("belljar\0warden", 14), argv);
  ::_exit(ready ? warden_main() : 1);
}

}  // namespace

Result<Client> Client::spawn(char** argv) {
  TRY_ASSIGN(auto sockets, sys::make_seqpacket());
  const pid_t child = ::fork();
  if (child == 0) become_warden(sockets[1].get(), argv);
  if (child < 0) return fail_errno("start the warden");
  return Client(std::move(sockets[0]), child);
}

Result<Client> Client::adopt(Fd socket) {
  Client client(std::move(socket), -1);
  TRY(client.send({.kind = RequestKind::kHello}, {}));
  return client;
}

Client::~Client() {
  if (!socket_.valid()) return;
  socket_.reset();
  if (child_.pid <= 0) return;
  while (::waitpid(child_.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<Reply> Client::receive() {
  std::vector<Fd> nothing;
  return receive(nothing);
}

Result<Reply> Client::receive(std::vector<Fd>& fds) {
  Result<sys::Message> received = sys::receive_message(socket_.get(), sizeof(Reply));
  if (!received) return std::unexpected(without_warden(received.error()));
  const sys::Message& message = *received;
  fds = std::move(received->fds);
  Reply reply;
  if (message.bytes.empty()) return fail(Code::kUnavailable, "the warden has ended");
  if (message.bytes.size() != sizeof reply)
    return fail(Code::kInternal, "warden: wrong message size");
  std::memcpy(&reply, message.bytes.data(), sizeof reply);
  if (reply.magic != kMagic) return fail(Code::kInternal, "warden: wrong magic");
  reply.text.back() = '\0';
  if (reply.kind == ReplyKind::kHello) {
    // A warden that could not set itself up is missing, whatever stood in its way.
    if (reply.text.front() != '\0') return fail(Code::kUnavailable, reply.text.data());
    host_ = HostFacts{.kernel = reply.host.kernel.data(),
                      .cgroup_mode = reply.host.cgroup_mode.data(),
                      .landlock_abi = reply.host.landlock_abi,
                      .rootless = reply.host.rootless != 0};
    freezer_ = reply.host.freezer.data();
  }
  return reply;
}

Result<HostFacts> Client::host() {
  while (!host_) TRY(receive());
  return *host_;
}

Result<std::string> Client::freezer() {
  while (!host_) TRY(receive());
  return freezer_;
}

Status Client::run(std::uint64_t id,
                   const cell::CellSpec& spec,
                   std::string_view bundle,
                   const CellFds& fds) {
  TRY_ASSIGN(const Fd memory, sys::sealed_memfd("belljar-spec", cell::encode(spec, bundle)));
  Request request{.kind = RequestKind::kRun, .id = id};
  request.with_artifacts = fds.artifacts >= 0 ? 1 : 0;
  request.with_program = fds.program >= 0 ? 1 : 0;
  request.session = fds.session ? 1 : 0;
  std::vector<int> list{memory.get(), fds.in, fds.out, fds.err};
  if (fds.artifacts >= 0) list.push_back(fds.artifacts);
  if (fds.program >= 0) list.push_back(fds.program);
  return send(request, list);
}

Status Client::signal(std::uint64_t id, int number) {
  return send({.kind = RequestKind::kSignal, .id = id, .signal = number}, {});
}

Status Client::keep_session(std::uint64_t id, std::span<const int, kKeptFds> fds) {
  return send({.kind = RequestKind::kKeep, .id = id}, fds);
}

Result<std::optional<Client::Adopted>> Client::adopt_session() {
  TRY(send({.kind = RequestKind::kAdopt}, {}));
  while (true) {
    Adopted adopted;
    TRY_ASSIGN(const Reply reply, receive(adopted.fds));
    if (reply.kind != ReplyKind::kAdopted) continue;
    if (adopted.fds.empty()) return std::nullopt;
    if (adopted.fds.size() != kKeptFds) return fail(Code::kInternal, "warden: wrong descriptors");
    adopted.id = reply.id;
    adopted.was_running = reply.was_running != 0;
    return adopted;
  }
}

Status Client::pause(std::uint64_t id) {
  return send({.kind = RequestKind::kPause, .id = id}, {});
}

Status Client::resume(std::uint64_t id, Nanoseconds wall, Nanoseconds cpu) {
  return send(
      {.kind = RequestKind::kResume, .id = id, .wall_ns = wall.count(), .cpu_ns = cpu.count()}, {});
}

Status Client::ask_files(std::uint64_t id, int request, int answer) {
  const std::array<int, 2> fds{request, answer};
  return send({.kind = RequestKind::kFiles, .id = id}, fds);
}

Status Client::keep(std::uint32_t cells) {
  return send({.kind = RequestKind::kPool, .cells = cells}, {});
}

Status Client::prepare(std::uint64_t id, const cell::CellSpec& spec) {
  std::string no_files;
  append_end(no_files, false);
  TRY_ASSIGN(const Fd memory, sys::sealed_memfd("belljar-spec", cell::encode(spec, no_files)));
  const int fd = memory.get();
  return send({.kind = RequestKind::kPrepare, .id = id}, {&fd, 1});
}

Result<Client> Client::connect() {
  TRY(host());
  TRY_ASSIGN(auto sockets, sys::make_seqpacket());
  const int theirs = sockets[1].get();
  TRY(send({.kind = RequestKind::kConnect}, {&theirs, 1}));
  Client client(std::move(sockets[0]), -1);
  client.host_ = host_;
  return client;
}

Status Client::send(const Request& request, std::span<const int> fds) {
  const Status sent = sys::send_message(
      socket_.get(), {reinterpret_cast<const char*>(&request), sizeof request}, fds);
  if (!sent) return std::unexpected(without_warden(sent.error()));
  return {};
}

Status Client::end(std::uint64_t id, EndReason reason) {
  return send({.kind = RequestKind::kEnd, .id = id, .reason = reason}, {});
}

}  // namespace belljar::warden
