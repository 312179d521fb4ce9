// LocalRunner: runs programs in the cells of this machine, on the dispatcher's threads.
#pragma once

#include <span>

#include "engine/dispatcher.h"
#include "engine/runner.h"

namespace belljar::engine {

class LocalRunner : public Runner {
 public:
  // All borrowed; they outlive it. `reuse` is without a tenant: that is the task's caller.
  // `labels`: of this machine.
  LocalRunner(Dispatcher& dispatcher,
              const runtime::Catalog& catalog,
              Reuse reuse,
              Labels labels = {})
      : dispatcher_(dispatcher),
        catalog_(catalog),
        reuse_(std::move(reuse)),
        labels_(std::move(labels)) {}

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
  void let_in(const std::string& /*caller*/, std::size_t /*count*/) override {}
  [[nodiscard]] std::size_t let_in_elsewhere(const std::string& /*caller*/) const override {
    return 0;
  }
  [[nodiscard]] std::vector<Gauge> gauges() const override;

 private:
  [[nodiscard]] Status check_labels(const Labels& wanted, Code code) const;
  void run_all(const Task& task, WardenAccess& access) const;
  [[nodiscard]] Reuse reuse_for(const Task& task) const;

  Dispatcher& dispatcher_;
  const runtime::Catalog& catalog_;
  const Reuse reuse_;
  const Labels labels_;
};

}  // namespace belljar::engine
