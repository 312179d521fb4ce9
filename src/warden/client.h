// Client: what a gateway or the command line may ask of a warden.
//
// Runs in: any unprivileged process. One thread at a time for each; connect() gives another thread
// one of its own.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "cell/spec.h"
#include "model/outcome.h"
#include "warden/protocol.h"

namespace belljar::warden {

// What goes into a cell besides the spec; borrowed for the call of run().
struct CellFds {
  int in = -1, out = -1, err = -1;
  int artifacts = -1;    // write end of a pipe; must be there exactly when the spec wants artifacts
  int program = -1;      // for CellSpec::program_by_descriptor
  bool session = false;  // see Request::session
};

class Client {
 public:
  // Starts a warden of our own as a fork of this process, which has no other thread yet: an
  // execution would start the whole program a second time, while the run waits. Answers at once;
  // the warden sets itself up meanwhile, and what goes wrong there is told by the first call.
  // `argv` is what this process was called with: the warden's says what it is.
  static Result<Client> spawn(char** argv);

  // A warden that somebody else started and watches, and may have spoken with; `socket` is one end
  // of its SOCK_SEQPACKET.
  static Result<Client> adopt(Fd socket);
  // One more connection to the same warden, with cells of its own. It ends when this one does.
  Result<Client> connect();

  Client(Client&&) noexcept = default;
  Client& operator=(Client&&) noexcept = default;
  // Lets go of the warden and waits for its end, so that nothing of its cells outlives us.
  ~Client();

  // What this host gives. Waits for the warden's first word.
  Result<HostFacts> host();
  // What its sessions are paused by: "v2", "v1" or "none". Waits likewise.
  Result<std::string> freezer();

  // Asks for a cell; its messages come through receive().
  Status run(std::uint64_t id,
             const cell::CellSpec& spec,
             std::string_view bundle,
             const CellFds& fds);
  // This and signal() may be called from any thread, also while another is in a call: they are one
  // message and touch nothing else.
  Status end(std::uint64_t id, EndReason reason);
  // Sends a signal to the program of a running cell.
  Status signal(std::uint64_t id, int number);
  // Has the warden keep a session's cell when this connection ends, with what the next client
  // needs.
  Status keep_session(std::uint64_t id, std::span<const int, kKeptFds> fds);
  // A cell that is kept becomes this connection's.
  struct Adopted {
    std::uint64_t id = 0;
    bool was_running = false;
    std::vector<Fd> fds;  // kKeptFds
  };
  // Nothing when none is kept.
  Result<std::optional<Adopted>> adopt_session();
  // Of a session's cell: stops it, answered by kPaused; lets it go on for so long at most.
  Status pause(std::uint64_t id);
  Status resume(std::uint64_t id, Nanoseconds wall, Nanoseconds cpu);
  // While it is stopped, see RequestKind::kFiles.
  Status ask_files(std::uint64_t id, int request, int answer);
  // Keeps up to `cells` finished cells waiting; only on the connection that the warden began with.
  // From then on an answer comes before what is left of the cell, without a process of the program,
  // is taken down.
  Status keep(std::uint32_t cells);
  // Says that a run like this one will come; kPrepared is the answer, once a cell for it waits.
  Status prepare(std::uint64_t id, const cell::CellSpec& spec);
  // The next message of the warden; blocks. kUnavailable when the warden is gone.
  Result<Reply> receive();
  // For poll(2).
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  Status send(const Request& request, std::span<const int> fds);
  // And the descriptors that came along.
  Result<Reply> receive(std::vector<Fd>& fds);

  Client(Fd socket, pid_t child) : socket_(std::move(socket)), child_(child) {}

  Fd socket_;
  struct Child {
    explicit Child(pid_t number) : pid(number) {}
    Child(Child&& other) noexcept : pid(std::exchange(other.pid, -1)) {}
    Child& operator=(Child&& other) noexcept {
      std::swap(pid, other.pid);
      return *this;
    }
    ~Child() = default;
    pid_t pid;
  } child_;
  std::optional<HostFacts> host_;
  std::string freezer_;
};

}  // namespace belljar::warden
