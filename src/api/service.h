// Service: what handlers need, in one place, and the table of routes.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "api/caller.h"
#include "api/dialects/e2b.h"
#include "api/dialects/pysandbox.h"
#include "api/http.h"
#include "api/metrics.h"
#include "api/run_service.h"
#include "api/session_service.h"
#include "api/settings.h"
#include "engine/rate_window.h"

namespace belljar::api {

struct Context {
  const Request& request;
  Caller caller;
  std::map<std::string, std::string, std::less<>> path;  // what stood for {id} and the like
};

class Service {
 public:
  // All borrowed; they outlive it.
  Service(const Settings& settings,
          const runtime::Catalog& catalog,
          ledger::Store& store,
          engine::Runner& runner,
          Metrics& metrics,
          RunService& runs,
          SessionService& sessions,
          HostFacts host);

  // Answers one request: finds the route, the caller, and whether he may. Blocks for no longer than
  // the ledger takes; what has to wait answers later.
  void handle(const Request& request, const Reply& reply);

  // What the second port, pysandbox's executor, answers: any path.
  void handle_executor(const Request& request, const Reply& reply);
  // What one of the ports of pysandbox's cells answers, by its place among them: any path.
  void handle_pysandbox(std::size_t cell, const Request& request, const Reply& reply);
  // What the third port, E2B's code interpreter, answers.
  void handle_e2b(const Request& request, const Reply& reply);

  // From here on nothing new is taken: /readyz says so.
  void close() { closing_ = true; }

 private:
  using Handler = void (Service::*)(const Context&, const Reply&);
  struct Route {
    std::string_view method;
    std::string_view pattern;
    Handler handler;
    std::string_view scope;  // what a key must allow; empty: everybody may
  };
  static std::span<const Route> routes();

  // api/routes.cpp
  [[nodiscard]] bool knows_host(const Request& request) const;
  Result<Caller> identify(const Request& request);
  [[nodiscard]] std::size_t rate_of(const Caller& caller) const;
  // Who shares a rate is a caller, or what an interface counts by.
  Nanoseconds take_rate(const std::string& who, std::size_t limit, std::size_t count);
  bool admit(const Caller& caller, const Reply& reply);
  // For a batch of `count` runs, whose request was admitted as one. `field` has them.
  bool admit_batch(const Caller& caller,
                   std::string_view field,
                   std::size_t count,
                   const Reply& reply);
  // What a port of its own on loopback does not answer: pages, and names that are not loopback's.
  bool refuse_page(const Request& request, const Reply& reply);
  // The same, and what is not POST.
  bool refuse_for_executor(const Request& request, const Reply& reply);
  Reply measured(const Request& request, std::string_view route, const Reply& reply);
  Reply with_headers(const Request& request, const Reply& reply) const;

  // api/runs_handlers.cpp
  void create_run(const Context& context, const Reply& reply);
  // How a client wants its answer.
  struct Wish {
    bool stream = false;
    bool wait = false;
    std::uint64_t after = 0;  // the last event it has
  };
  void submit_and_answer(const Caller& caller,
                         RunRequest run,
                         const SubmitOptions& options,
                         const Wish& wish,
                         const Reply& reply);
  // Either a program and its inputs, or runs.
  struct BatchRequest {
    std::optional<RunRequest> program;
    std::vector<RunService::BatchInput> inputs;
    std::vector<RunRequest> runs;
  };
  static Result<BatchRequest> read_batch(const Request& request);
  void list_runs(const Context& context, const Reply& reply);
  void get_run(const Context& context, const Reply& reply);
  void cancel_run(const Context& context, const Reply& reply);
  void run_events(const Context& context, const Reply& reply);
  void list_artifacts(const Context& context, const Reply& reply);
  void get_artifact(const Context& context, const Reply& reply);
  void create_batch(const Context& context, const Reply& reply);
  void get_batch(const Context& context, const Reply& reply);
  void interact(const Context& context, const Reply& reply);

  // api/session_handlers.cpp
  void create_session(const Context& context, const Reply& reply);
  void list_sessions(const Context& context, const Reply& reply);
  void get_session(const Context& context, const Reply& reply);
  void quit_session(const Context& context, const Reply& reply);
  void create_execution(const Context& context, const Reply& reply);
  void interact_in_session(const Context& context, const Reply& reply);
  void list_executions(const Context& context, const Reply& reply);
  void get_execution(const Context& context, const Reply& reply);
  void execution_events(const Context& context, const Reply& reply);
  void interrupt_session(const Context& context, const Reply& reply);
  void pause_session(const Context& context, const Reply& reply);
  void resume_session(const Context& context, const Reply& reply);
  void list_session_files(const Context& context, const Reply& reply);
  void get_session_file(const Context& context, const Reply& reply);
  void put_session_file(const Context& context, const Reply& reply);
  void remove_session_file(const Context& context, const Reply& reply);
  void create_context(const Context& context, const Reply& reply);
  void restart_context(const Context& context, const Reply& reply);
  void remove_context(const Context& context, const Reply& reply);

  // api/system_handlers.cpp
  void languages(const Context& context, const Reply& reply);
  void health(const Context& context, const Reply& reply);
  void ready(const Context& context, const Reply& reply);
  void system(const Context& context, const Reply& reply);
  void metrics_page(const Context& context, const Reply& reply);
  void contract(const Context& context, const Reply& reply);
  void page(const Context& context, const Reply& reply);

  // api/playground_handlers.cpp
  void playground(const Context& context, const Reply& reply);
  void policies(const Context& context, const Reply& reply);
  void walls(const Context& context, const Reply& reply);
  void run_request(const Context& context, const Reply& reply);

  // api/dialects/
  void secure_sandbox(const Context& context, const Reply& reply);
  void safe_code_executor(const Context& context, const Reply& reply);
  void pysandbox(const Context& context, const Reply& reply);

  const Settings& settings_;
  const runtime::Catalog& catalog_;
  ledger::Store& store_;
  engine::Runner& runner_;
  Metrics& metrics_;
  RunService& runs_;
  SessionService& sessions_;
  E2b e2b_;
  PysandboxCells pysandbox_cells_;
  const HostFacts host_;
  std::atomic<bool> closing_ = false;

  std::mutex mutex_;
  engine::RateWindow rate_{std::chrono::minutes(1)};
};

}  // namespace belljar::api
