// Zygote: a stock interpreter that makes cells with itself inside, instead of running a script.
//
// The library is preloaded into the interpreter (LD_PRELOAD, ld.so(8)), which sets itself up as
// ever and then opens its script: that call comes here. There is no script. What follows is the
// warden's word: the interpreter imports its modules, and then clones a cell for each request. The
// clone's first process builds the cell and becomes its init; the second is this interpreter still,
// parked behind every lock until a run comes. See cell/enter.h.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/environment.h"
#include "base/sys.h"
#include "cell/enter.h"
#include "cell/plan.h"
#include "cell/zygote_protocol.h"
#include "zygote/python.h"

namespace belljar::zygote {
namespace {

using cell::ZygoteMessage;
using cell::ZygoteRequest;

constexpr std::size_t kFixedFds = 4;     // spec, report, control, park
constexpr std::size_t kBirthplaces = 2;  // where there are any: init's, the program's

std::string* preload_names = nullptr;
bool began = false;

void send(const ZygoteMessage& message, std::span<const int> fds = {}) {
  // A warden that is gone is seen by the next receive.
  (void)sys::send_message(cell::kZygoteSocketFd,
                          {reinterpret_cast<const char*>(&message), sizeof message}, fds)
      .has_value();
}

ZygoteMessage failure(std::uint64_t id, std::string_view text, int error) {
  ZygoteMessage message{.kind = ZygoteMessage::Kind::kFailed, .id = id, .error = error};
  text.copy(message.text.data(), message.text.size() - 1);
  return message;
}

Result<cell::CellSpec> read_spec(const Fd& memory) {
  TRY(sys::check_sealed(memory.get()));
  struct stat status{};
  if (::fstat(memory.get(), &status) != 0) return fail_errno("fstat");
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string bytes(size, '\0');
  if (::pread(memory.get(), bytes.data(), size, 0) != static_cast<ssize_t>(size))
    return fail_errno("pread");
  TRY_ASSIGN(cell::DecodedSpec decoded, cell::decode(bytes));
  return std::move(decoded.spec);
}

Status make_cell(const cell::Host& host,
                 Python& python,
                 const ZygoteRequest& request,
                 const std::vector<Fd>& fds) {
  const std::size_t network = kFixedFds + (request.born_in_groups != 0 ? kBirthplaces : 0);
  const std::size_t first_tasks = network + (request.joins_network != 0 ? 1 : 0);
  if (fds.size() != first_tasks + request.init_tasks + request.user_tasks ||
      request.cell >= cell::kZygoteCells) {
    return fail(Code::kInvalid, "request: wrong number of descriptors");
  }
  TRY_ASSIGN(const cell::CellSpec spec, read_spec(fds[0]));
  cell::LaunchFds launch{.report = fds[1].get(), .control = fds[2].get(), .park = fds[3].get()};
  TRY_ASSIGN(const Fd nothing, sys::open_file("/dev/null", O_RDWR));
  launch.in = launch.out = launch.err = nothing.get();
  launch.init_image = host.init_image.get();
  if (request.born_in_groups != 0) {
    launch.init_birthplace = fds[kFixedFds].get();
    launch.user_birthplace = fds[kFixedFds + 1].get();
  }
  if (request.joins_network != 0) launch.net = fds[network].get();
  for (std::size_t i = first_tasks; i < fds.size(); ++i) {
    auto& tasks = i < first_tasks + request.init_tasks ? launch.init_tasks : launch.user_tasks;
    tasks.push_back(fds[i].get());
  }
  const cell::Identity identity{.user = cell::zygote_user(request.cell),
                                .init = cell::zygote_user(request.cell) + 1};
  const cell::CgroupPlace cgroups{.walls = WallSet::from_bits(request.cgroup_walls),
                                  .mark = request.mark.data(),
                                  .count = request.hierarchies};
  cell::Warmth warmth{
      .devices = std::string(cell::kZygoteDevices) + "/" + std::to_string(request.cell),
      .root_layers = std::string("lowerdir=") + cell::kZygoteCellRoots + "/" +
                     std::to_string(request.cell) + ":" + cell::kZygoteRoot,
      .interpreter = &python};
  // Known only to the thread that the C library began with, not to a clone of it: prctl(2).
  if (::prctl(PR_GET_TID_ADDRESS, &warmth.thread_id, 0, 0, 0) != 0)
    return fail_errno("PR_GET_TID_ADDRESS");
  TRY_ASSIGN(const std::unique_ptr<cell::LaunchPlan> plan,
             cell::make_plan(host, spec, {}, identity, launch, cgroups, warmth));

  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = cell::clone_flags(*plan);
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  if (launch.init_birthplace >= 0) {
    arguments.cgroup = static_cast<std::uint64_t>(launch.init_birthplace);
  }
  Python::before_fork();
  const long child = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  const int error = errno;
  if (child == 0) cell::enter(*plan);
  Python::after_fork();
  if (child < 0) return fail_errno("clone the cell", error);
  const Fd born = Fd::adopt(pidfd);
  send({.kind = ZygoteMessage::Kind::kBorn, .id = request.id, .walls = plan->walls.bits()},
       {&pidfd, 1});
  return {};
}

[[noreturn]] void serve() {
  Python python;
  if (!python.begin()) {
    send(failure(0, "the interpreter does not take the prelude", 0));
    ::_exit(1);
  }
  const std::string failed = python.preload(*preload_names);
  Result<cell::Host> host = cell::Host::probe(cell::Privilege::kUidRange);
  if (!host) {
    send(failure(0, host.error().message, host.error().sys));
    ::_exit(1);
  }
  ZygoteMessage ready{.kind = ZygoteMessage::Kind::kReady};
  failed.copy(ready.text.data(), ready.text.size() - 1);
  send(ready);
  while (true) {
    const Result<sys::Message> message =
        sys::receive_message(cell::kZygoteSocketFd, sizeof(ZygoteRequest));
    if (!message || message->bytes.empty()) ::_exit(0);
    ZygoteRequest request;
    if (message->bytes.size() != sizeof request) ::_exit(1);
    std::memcpy(&request, message->bytes.data(), sizeof request);
    const Status made = make_cell(*host, python, request, message->fds);
    if (!made) send(failure(request.id, made.error().message, made.error().sys));
  }
}

// Before the interpreter reads its environment, so that no program sees these two.
[[gnu::constructor]] void take_environment() {
  const char* const names = ::getenv(cell::kZygotePreload);
  preload_names = new std::string(names == nullptr ? "" : names);
  forget_variable(cell::kZygotePreload);
  forget_variable("LD_PRELOAD");
}

using Open = FILE* (*)(const char*, const char*);

FILE* open_or_serve(const char* name, const char* path, const char* mode) {
  if (!began && std::strcmp(path, cell::kZygoteScript) == 0) {
    began = true;
    serve();
  }
  return reinterpret_cast<Open>(::dlsym(RTLD_NEXT, name))(path, mode);
}

}  // namespace
}  // namespace belljar::zygote

extern "C" {
[[gnu::visibility("default")]] FILE* fopen(const char* path, const char* mode) {
  return belljar::zygote::open_or_serve("fopen", path, mode);
}
[[gnu::visibility("default")]] FILE* fopen64(const char* path, const char* mode) {
  return belljar::zygote::open_or_serve("fopen64", path, mode);
}
}
