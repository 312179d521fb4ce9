// Cells: what runs programs on this machine for a gateway or a worker: a warden that all share,
// the threads that use it, and what earlier runs may save later ones.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "api/metrics.h"
#include "api/settings.h"
#include "app/supervisor_link.h"
#include "engine/local_runner.h"
#include "engine/local_session_host.h"

namespace belljar::app {

// Every member but open() and stop() may be called from any thread.
class Cells {
 public:
  // All borrowed; they outlive it. The first warden is there when it answers.
  static Result<std::unique_ptr<Cells>> open(const api::Settings& settings,
                                             const runtime::Catalog& catalog,
                                             SupervisorLink& supervisor,
                                             api::Metrics& metrics);
  Cells(const Cells&) = delete;
  Cells& operator=(const Cells&) = delete;
  ~Cells() = default;

  [[nodiscard]] engine::Runner& runner() { return *runner_; }
  [[nodiscard]] engine::Dispatcher& dispatcher() { return *dispatcher_; }
  [[nodiscard]] const engine::DispatcherSettings& limits() const { return limits_; }
  // Of the sessions that these cells hold.
  [[nodiscard]] engine::SessionSettings session_settings() const;
  [[nodiscard]] const HostFacts& host() const { return host_; }
  // To the warden that all share, and to another one when it is gone.
  Result<warden::Client> connect();
  // Gives up what waits and waits for what runs: before what the jobs use goes away.
  void stop() { dispatcher_.reset(); }

 private:
  Cells(const api::Settings& settings,
        const runtime::Catalog& catalog,
        SupervisorLink& supervisor,
        api::Metrics& metrics);

  const api::Settings& settings_;
  const runtime::Catalog& catalog_;
  SupervisorLink& supervisor_;
  api::Metrics& metrics_;
  const engine::DispatcherSettings limits_;
  std::mutex mutex_;
  std::optional<warden::Client> first_;
  HostFacts host_;
  const engine::HeaderStore headers_;
  engine::CompileCache compiled_;
  engine::VersionCache versions_;
  // Last: its jobs use what stands above.
  std::optional<engine::Dispatcher> dispatcher_;
  std::optional<engine::LocalRunner> runner_;
};

}  // namespace belljar::app
