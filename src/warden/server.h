// Server: the warden's loop. Single-threaded; speaks only the fixed-size protocol; every limit is
// checked again here, whatever the client says.
//
// Runs in: warden.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "base/fd.h"
#include "base/result.h"
#include "cell/cgroup.h"
#include "cell/host.h"
#include "warden/cell_run.h"
#include "warden/protocol.h"
#include "warden/resources.h"

namespace belljar::warden {

class Server {
 public:
  // `client` is a SOCK_SEQPACKET socket; its end is the end of the server and of every cell.
  Server(Fd client, cell::Host host, cell::CgroupHost cgroups, std::string lease_file);

  // Until the client is gone and nothing of its cells is left.
  Status serve();

 private:
  void hello();
  void handle_request();
  Status start(const Request& request, std::vector<Fd> fds);
  void refuse(std::uint64_t id, const Error& error);
  void send(const Reply& reply);
  void settle();
  void prepare_ahead();

  Fd client_;
  cell::Host host_;
  cell::CgroupHost cgroups_;
  ResourceMaker maker_;
  std::optional<CellResources> ahead_;  // made while nobody waits
  std::map<std::uint64_t, std::unique_ptr<CellRun>> cells_;
};

}  // namespace belljar::warden
