// PysandboxCells: pysandbox's executor with a cell behind each of some ports. A cell is a session
// under the policy of pysandbox, made when its port is first asked and anew after it has ended.
//
// Every member may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/caller.h"
#include "api/http.h"
#include "api/session_service.h"

namespace belljar::api {

class PysandboxCells {
 public:
  // Borrowed; it outlives them.
  PysandboxCells(SessionService& sessions, const std::vector<std::uint16_t>& ports);

  // Any POST to the port of this place among them.
  void handle(std::size_t cell, const Request& request, const Reply& reply);

 private:
  // Called once, from any thread, with the session's id.
  using Waiter = std::function<void(const Result<std::string>&)>;
  struct Cell {
    Caller caller;  // each port its own: so the next gateway finds what an earlier one has left
    std::mutex mutex;
    std::string session;  // empty: there is none
    bool making = false;
    std::vector<Waiter> waiting;  // for the one that is made
  };
  void execute(Cell& cell,
               const std::string& text,
               const std::string& bytes,
               const Reply& reply,
               bool again);
  void with_session(Cell& cell, const Waiter& waiter);
  void find_session_locked(Cell& cell);
  static void keep_session(Cell& cell, const Result<SessionService::Created>& made);

  SessionService& sessions_;
  std::vector<std::unique_ptr<Cell>> cells_;
};

}  // namespace belljar::api
