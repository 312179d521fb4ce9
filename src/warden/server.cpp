#include "warden/server.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/sys.h"
#include "model/policy.h"

namespace belljar::warden {
namespace {

constexpr std::size_t kMaxCells = 1024;
constexpr std::uint64_t kMaxSpecBytes = kGiB;

template <std::size_t kSize>
void copy_text(std::array<char, kSize>& to, std::string_view text) {
  const std::size_t size = std::min(text.size(), kSize - 1);
  std::memcpy(to.data(), text.data(), size);
}

// A sealed memfd, mapped: its bytes cannot change while they are checked and used.
class MappedSpec {
 public:
  static Result<MappedSpec> open(const Fd& fd) {
    TRY(sys::check_sealed(fd.get()));
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) return fail_errno("fstat");
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size == 0 || size > kMaxSpecBytes) {
      return fail(Code::kInvalid, "spec: must have 1 byte to " + format_bytes(kMaxSpecBytes));
    }
    void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (bytes == MAP_FAILED) return fail_errno("mmap spec");
    return MappedSpec(static_cast<const char*>(bytes), size);
  }
  MappedSpec(MappedSpec&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedSpec& operator=(MappedSpec&&) = delete;
  ~MappedSpec() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  MappedSpec(const char* bytes, std::size_t size) : bytes_(bytes, size) {}
  std::string_view bytes_;
};

}  // namespace

Server::Server(Fd client, cell::Host host, cell::CgroupHost cgroups, std::string lease_file)
    : client_(std::move(client)),
      host_(std::move(host)),
      cgroups_(std::move(cgroups)),
      maker_(host_, cgroups_, std::move(lease_file)) {}

Status Server::serve() {
  hello();
  prepare_ahead();
  maker_.sweep();
  while (client_.valid() || !cells_.empty()) {
    std::vector<pollfd> waits;
    if (client_.valid()) waits.push_back({.fd = client_.get(), .events = POLLIN, .revents = 0});
    Nanoseconds deadline = sys::now() + std::chrono::hours(1);
    for (const auto& [id, cell] : cells_) {
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
    for (const pollfd& wait : waits) {
      if (wait.revents == 0) continue;
      if (wait.fd == client_.get()) {
        handle_request();
        continue;
      }
      for (const auto& [id, cell] : cells_) {
        // Only descriptors that are still the cell's: handling one may have closed another.
        const std::vector<int> current = cell->waits();
        if (std::ranges::find(current, wait.fd) != current.end()) {
          cell->ready(wait.fd);
          break;
        }
      }
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
  send(reply);
}

void Server::handle_request() {
  Result<sys::Message> message = sys::receive_message(client_.get(), sizeof(Request));
  if (!message && message.error().code == Code::kInvalid) return;  // too long: dropped with its fds
  if (!message || message->bytes.empty()) {
    // The client is gone: what runs on its behalf ends with it.
    client_.reset();
    for (const auto& [id, cell] : cells_) cell->end(EndReason::kCancelled);
    return;
  }
  Request request;
  if (message->bytes.size() != sizeof request) {
    refuse(0, {.code = Code::kInvalid, .message = "request: wrong size"});
    return;
  }
  std::memcpy(&request, message->bytes.data(), sizeof request);
  if (request.magic != kMagic) {
    refuse(request.id, {.code = Code::kInvalid, .message = "request: wrong magic"});
    return;
  }
  switch (request.kind) {
    case RequestKind::kRun: {
      const Status started = start(request, std::move(message->fds));
      if (!started) refuse(request.id, started.error());
      return;
    }
    case RequestKind::kEnd: {
      const auto cell = cells_.find(request.id);
      // A cell that is over already is no error: the two messages crossed.
      if (cell != cells_.end()) cell->second->end(request.reason);
      return;
    }
  }
  refuse(request.id, {.code = Code::kInvalid, .message = "request: unknown kind"});
}

Status Server::start(const Request& request, std::vector<Fd> fds) {
  const Nanoseconds since = sys::now();
  const std::size_t wanted =
      4 + (request.with_artifacts != 0 ? 1U : 0U) + (request.with_program != 0 ? 1U : 0U);
  if (fds.size() != wanted) return fail(Code::kInvalid, "request: wrong number of descriptors");
  if (cells_.contains(request.id)) return fail(Code::kInvalid, "request: this id is in use");
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
  cells_.emplace(request.id, std::move(cell));
  return {};
}

void Server::refuse(std::uint64_t id, const Error& error) {
  Reply reply{.kind = ReplyKind::kRefused, .id = id};
  // What the host refuses to us is no refusal of the client's wish.
  const bool by_host = error.code == Code::kDenied && error.sys != 0;
  reply.error_code = static_cast<std::uint32_t>(by_host ? Code::kUnavailable : error.code);
  copy_text(reply.text, error.message);
  send(reply);
}

void Server::send(const Reply& reply) {
  if (!client_.valid()) return;
  const std::string_view bytes(reinterpret_cast<const char*>(&reply), sizeof reply);
  if (!sys::send_message(client_.get(), bytes, {})) client_.reset();
}

// Does what is due in each cell, tells the client what happened, and lets go of what is over.
void Server::settle() {
  const Nanoseconds now = sys::now();
  for (auto at = cells_.begin(); at != cells_.end();) {
    CellRun& cell = *at->second;
    if (!cell.is_over() && cell.deadline() <= now) cell.tick();
    if (cell.take_started()) send({.kind = ReplyKind::kStarted, .id = at->first});
    if (!cell.is_over()) {
      ++at;
      continue;
    }
    const std::uint64_t id = at->first;
    const Result<CellReport> report = std::move(cell).finish();
    at = cells_.erase(at);
    if (report) {
      send({.kind = ReplyKind::kEnded, .id = id, .report = *report});
    } else {
      refuse(id, report.error().context("cell"));
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
