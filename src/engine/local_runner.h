// LocalRunner: runs programs in the cells of this machine, on the dispatcher's threads.
#pragma once

#include <span>

#include "engine/dispatcher.h"
#include "engine/runner.h"

namespace belljar::engine {

class LocalRunner : public Runner {
 public:
  // All borrowed; they outlive it. `reuse` is without a tenant: that is the task's caller.
  LocalRunner(Dispatcher& dispatcher, const runtime::Catalog& catalog, Reuse reuse)
      : dispatcher_(dispatcher), catalog_(catalog), reuse_(std::move(reuse)) {}

  Status submit(Task task) override;
  [[nodiscard]] Status check(const Task& task, std::size_t count) const override;
  Status unpack(Unpacking unpacking) override;
  void cancel_elsewhere(const std::string& /*run*/) override {}
  std::unique_ptr<Following> follow(const std::string& /*run*/, Observer& /*observer*/) override {
    return nullptr;
  }
  bool drain(Nanoseconds patience) override { return dispatcher_.drain(patience); }
  [[nodiscard]] Status ready() const override { return {}; }
  [[nodiscard]] bool has(const runtime::Manifest& language) const override;
  [[nodiscard]] RunnerState state() const override;
  [[nodiscard]] std::vector<Gauge> gauges() const override;

 private:
  void run_all(const Task& task, WardenAccess& access) const;
  [[nodiscard]] Reuse reuse_for(const Task& task) const;

  Dispatcher& dispatcher_;
  const runtime::Catalog& catalog_;
  const Reuse reuse_;
};

}  // namespace belljar::engine
