// E2b: what runs inside of one of E2B's sandboxes and answers its package @e2b/code-interpreter:
// /health, /execute and /contexts. There is one sandbox, a session that is made when it is first
// needed, and anew after it has ended; its contexts are the session's.
//
// Every member may be called from any thread.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "api/caller.h"
#include "api/http.h"
#include "api/run_service.h"
#include "api/session_service.h"

namespace belljar::api {

class E2b {
 public:
  // Both borrowed; they outlive it.
  E2b(SessionService& sessions, const RunService& runs);

  // Any request of the port that may be answered at all.
  void handle(const Request& request, const Reply& reply);

 private:
  // Called once, from any thread, with the session's id.
  using Waiter = std::function<void(const Result<std::string>&)>;
  void with_session(const Waiter& waiter);
  void keep_session(const Result<SessionService::Created>& made);
  void find_session_locked();
  bool knows(const std::string& context);

  void execute(const Request& request, const Reply& reply);
  void create_context(const Request& request, const Reply& reply);
  void list_contexts(const Reply& reply);
  void restart_context(const std::string& id, const Reply& reply);
  void remove_context(const std::string& id, const Reply& reply);

  SessionService& sessions_;
  const RunService& runs_;
  const Caller caller_;

  std::mutex mutex_;
  std::string session_;  // empty: there is none
  bool making_ = false;
  std::vector<Waiter> waiting_;                  // for the one that is made
  std::map<std::string, std::string> contexts_;  // besides the default one: where their code
                                                 // begins, empty: nobody knows any more
};

}  // namespace belljar::api
