// Server: the warden's loop. Single-threaded; speaks only the fixed-size protocol; every limit is
// checked again here, whatever the client says.
//
// Runs in: warden.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "cell/cgroup.h"
#include "cell/host.h"
#include "warden/cell_run.h"
#include "warden/pool.h"
#include "warden/protocol.h"
#include "warden/resources.h"
#include "warden/resting_cells.h"
#include "warden/watch.h"

namespace belljar::warden {

class Server {
 public:
  // `client` is a SOCK_SEQPACKET socket; its end is the end of the server and of every cell. It may
  // bring more connections, each with cells of its own that end with it.
  Server(Fd client, cell::Host host, cell::CgroupHost cgroups, std::string lease_file);

  // Until the client is gone and nothing of its cells is left.
  Status serve();

 private:
  // Of a session, what its next client will need.
  struct Kept {
    std::vector<Fd> fds;
    bool was_running = false;
    Nanoseconds deadline{};  // once its client is gone
  };

  void hello(std::uint64_t connection);
  void handle_request(std::uint64_t connection);
  Status start(CellName name, const Request& request, std::vector<Fd> fds);
  Status start_cold(CellName name, const cell::CellSpec& spec, const Bundle& files, GivenRun run);
  // In another cell, which is made for it.
  Status start_again(CellName name, GivenRun run);
  Status connect(std::vector<Fd> fds);
  void disconnect(std::uint64_t connection);
  // The client's cell, awake; null when there is none.
  CellRun* find(CellName name);
  void wake(CellName name);
  void wake(const std::vector<CellName>& names);
  // Those that wait for a client, to the end of kept_.
  std::map<CellName, Kept>::iterator orphans();
  void refuse(CellName name, const Error& error);
  void send(std::uint64_t connection, const Reply& reply, std::span<const int> fds = {});
  template <typename Visit>
  void each_cell(Visit visit);
  void hear(Zygote& zygote);
  static void hear(CellRun& cell);
  void settle();
  Status resume(CellRun& cell, const Request& request);
  Status keep(CellName name, std::vector<Fd> fds);
  static Status ask_files(CellRun& cell, const std::vector<Fd>& fds);
  void adopt(std::uint64_t connection);
  void orphan(CellName name, CellRun& cell);
  // No cell needs a processor now.
  [[nodiscard]] bool is_quiet() const;
  void conclude(CellName name, CellRun& cell);
  Status prepare(CellName name, const Request& request, std::vector<Fd> fds);
  void announce(Nanoseconds now);
  void prepare_ahead();

  std::map<std::uint64_t, Fd> connections_;  // the first is kFirst
  Watch clients_;                            // all of them, by number
  std::uint64_t last_connection_;
  std::vector<std::uint64_t> gone_;  // connections that could not be written to
  cell::Host host_;
  cell::CgroupHost cgroups_;
  ResourceMaker maker_;
  std::optional<CellResources> ahead_;  // made while nobody waits
  Pool pool_;
  Nanoseconds sort_pool_at_{};
  struct Preparation {
    CellName name;
    cell::CellSpec spec;
    Nanoseconds deadline{};
  };
  std::vector<Preparation> preparations_;
  // The cells of clients: those in which something may be due, and the others.
  std::map<CellName, std::unique_ptr<CellRun>> cells_;
  RestingCells resting_;
  std::map<CellName, Kept> kept_;                  // of cells in cells_ and resting_
  std::vector<std::unique_ptr<CellRun>> leaving_;  // answered, or never run
};

}  // namespace belljar::warden
