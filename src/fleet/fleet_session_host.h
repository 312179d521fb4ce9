// FleetSessionHost: sessions that the workers of a fleet hold, reached through NATS from any
// gateway. Each is where it was created until it ends; a gateway's end is no end of a session.
//
// What workers say of their sessions all gateways hear. That a worker is gone is believed only
// where NATS itself answers.
//
// Runs in: gateway. Every member may be called from any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/session_host.h"
#include "fleet/connection.h"
#include "fleet/jetstream.h"
#include "fleet/keyed_threads.h"
#include "fleet/object_bucket.h"
#include "fleet/session_questions.h"

namespace belljar::fleet {

struct SessionGatewaySettings {
  std::string id;                      // as GatewaySettings has it
  std::uint64_t most_per_caller = 20;  // sessions, in the whole fleet
  Nanoseconds queue_wait{};            // how long a worker may let something wait for its turn
};

class FleetSessionHost : public engine::SessionHost {
 public:
  // Needs the streams that a gateway's FleetRunner makes.
  static Result<std::unique_ptr<FleetSessionHost>> open(std::unique_ptr<Connection> connection,
                                                        SessionGatewaySettings settings);
  ~FleetSessionHost() override;

  void serve(engine::SessionOwner& owner) override;
  void close() override;
  [[nodiscard]] bool is_shared() const override { return true; }
  Result<std::string> place_for(const std::string& language, const std::string& caller) override;
  void create(engine::SessionOrder order, const Answer& answer) override;
  Result<engine::SessionView> find(const engine::SessionAddress& session) override;
  Result<std::vector<engine::SessionView>> list(const std::string& caller) override;
  [[nodiscard]] std::size_t count() override;
  Status execute(engine::ExecutionOrder order,
                 std::shared_ptr<engine::ExecutionListener> listener,
                 const std::function<Status()>& accept) override;
  Status interrupt(const engine::SessionAddress& session, const std::string& execution) override;
  void cancel(const engine::SessionAddress& session, const std::string& execution) override;
  std::unique_ptr<engine::Following> follow(const std::string& execution,
                                            engine::ExecutionListener& listener) override;
  Result<engine::SessionView> set_paused(const engine::SessionAddress& session,
                                         bool paused) override;
  void use_files(const engine::SessionAddress& session,
                 engine::FileWish wish,
                 const AnswerFiles& answer) override;
  void change_context(const engine::SessionAddress& session,
                      engine::ContextChange change,
                      const std::string& context,
                      const std::string& cwd,
                      const Answer& answer) override;
  void quit(const engine::SessionAddress& session, const Answer& answer) override;
  void look_after(const engine::SessionAddress& session, const std::string& execution) override;

 private:
  // One that this process asked for.
  struct Running {
    engine::ExecutionOrder order;
    std::shared_ptr<engine::ExecutionListener> listener;
  };
  // One that an earlier or another process asked for.
  struct Left {
    engine::SessionAddress session;
    Nanoseconds asked{};    // the last time
    Nanoseconds missing{};  // since its worker does not have it under way; zero: it does
  };
  struct Worker {
    SessionsState state;
    Nanoseconds heard{};
    std::map<std::string, std::uint64_t> given;  // sessions since, by caller
  };

  FleetSessionHost(std::unique_ptr<Connection> connection, SessionGatewaySettings settings);
  Status begin();
  void ask_for_view(const std::string& place,
                    SessionQuestion question,
                    Nanoseconds patience,
                    const Answer& answer);
  [[nodiscard]] Nanoseconds silence_locked(const std::string& worker) const;
  [[nodiscard]] bool is_gone_locked(const std::string& worker) const;
  [[nodiscard]] bool is_gone(const std::string& worker);
  // Whether it is worth to ask and wait.
  Status may_ask(const std::string& worker);

  void take_told(const Message& message);
  void take_state(const std::string& worker, const std::string& text);
  [[nodiscard]] bool is_its_worker_locked(const std::string& id, const std::string& worker) const;
  bool take_end(const std::string& id, const std::string& worker, const std::string& text);
  bool take_execution_end(engine::ExecutionEnd end);
  bool take_session_end(const engine::SessionView& session);
  void over_locked(const std::string& id);
  void take_late_ends(const std::stop_token& stop);
  void watch(const std::stop_token& stop);
  [[nodiscard]] bool somebody_seems_gone();
  void look_after_sessions();
  void look_after_executions();
  void ask_after(const std::string& execution, const Left& left);
  void lose(const engine::SessionAddress& session);

  const std::unique_ptr<Connection> connection_;
  const SessionGatewaySettings settings_;
  JetStream stream_;
  ObjectBucket objects_;
  SessionQuestions questions_;
  engine::SessionOwner* owner_ = nullptr;
  std::mutex mutex_;
  std::condition_variable known_;  // a worker is
  std::map<std::string, Worker> workers_;
  Nanoseconds up_since_{};                       // since NATS has served this process without a gap
  std::map<std::string, std::string> sessions_;  // where they are: those this process looks after
  std::map<std::string, Running> running_;
  std::map<std::string, Left> left_;
  // Sessions that were called lost, by worker: should that come back, it is told.
  std::map<std::string, std::set<std::string>> lost_;
  std::set<std::string> over_;  // ends that may come again
  std::deque<std::string> over_order_;
  // Last: they use what stands above.
  std::optional<KeyedThreads> threads_;
  std::unique_ptr<Subscription> told_;
  std::vector<std::jthread> watchers_;
};

}  // namespace belljar::fleet
