// LocalSessionHost: holds sessions in the cells of this machine, and does in them what is asked on
// the dispatcher's threads.
//
// Where it may, it has the warden keep them for the process after this one, should this one be
// killed. They end with the warden.
#pragma once

#include <condition_variable>
#include <map>
#include <thread>

#include "engine/live_session.h"
#include "engine/spare_sessions.h"

namespace belljar::engine {

struct SessionSettings {
  std::size_t most = 100;            // at once
  std::size_t most_per_caller = 20;  // likewise
  std::size_t spares = 1;
  std::uint64_t memory = 0;  // that all of them may have together
  Nanoseconds queue_wait{};  // what waits longer for its turn is given up
  bool keeps = true;         // for the next process
};

class LocalSessionHost : public SessionHost {
 public:
  // Borrowed; it outlives it.
  LocalSessionHost(Dispatcher& dispatcher, const SessionSettings& settings);
  // After close().
  ~LocalSessionHost() override;

  // What an earlier process has left; after serve(), and before anything else is asked. `told` is
  // called with each, or with nothing for one that did not survive.
  using Policies = std::function<Result<const Policy*>(const std::string& name)>;
  void adopt(const WardenAccess::Connect& connect,
             const runtime::Catalog& catalog,
             const Policies& policies,
             const std::function<void(const SessionView*)>& told);

  void serve(SessionOwner& owner) override { owner_ = &owner; }
  void close() override;
  // With the reason that its sessions are told to have ended by.
  void close(const std::string& reason);
  [[nodiscard]] bool is_shared() const override { return false; }
  Result<std::string> place_for(const std::string& /*language*/,
                                const std::string& /*caller*/) override {
    return std::string();
  }
  void create(SessionOrder order, const Answer& answer) override;
  Result<SessionView> find(const SessionAddress& session) override;
  Result<std::vector<SessionView>> list(const std::string& caller) override;
  [[nodiscard]] std::size_t count() override;
  Status execute(ExecutionOrder order,
                 std::shared_ptr<ExecutionListener> listener,
                 const std::function<Status()>& accept) override;
  Status interrupt(const SessionAddress& session, const std::string& execution) override;
  void cancel(const SessionAddress& session, const std::string& execution) override;
  std::unique_ptr<Following> follow(const std::string& /*execution*/,
                                    ExecutionListener& /*listener*/) override {
    return nullptr;
  }
  Result<SessionView> set_paused(const SessionAddress& session, bool paused) override;
  void use_files(const SessionAddress& session, FileWish wish, const AnswerFiles& answer) override;
  void change_context(const SessionAddress& session,
                      ContextChange change,
                      const std::string& context,
                      const std::string& cwd,
                      const Answer& answer) override;
  void quit(const SessionAddress& session, const Answer& answer) override;
  void look_after(const SessionAddress& session, const std::string& execution) override;

  // Sessions that have not ended, by caller.
  [[nodiscard]] std::map<std::string, std::size_t> by_caller();
  // Whether something is executed, or waits to be.
  [[nodiscard]] bool is_executing();

 private:
  using Shared = std::shared_ptr<LiveSession>;

  Result<Shared> known(const SessionAddress& session);
  Status may_grow(const LiveSession& live);
  Status add(const Shared& live);
  void begin(const Shared& live,
             const SessionOrder& order,
             WardenAccess& access,
             const Answer& answer);
  void begun(LiveSession& live, std::unique_ptr<Session> session);
  void note_locked(const LiveSession& live) const;
  void put(const Shared& live,
           std::function<void(WardenAccess&)> work,
           const std::function<void(const Error&)>& give_up);
  void pump(const Shared& live);
  void work_off(const Shared& live, WardenAccess& access);
  void give_up_first(LiveSession& live, const Error& error);
  void release(LiveSession& live);
  void perform(LiveSession& live, LiveSession::Pending& execution);
  static void withdraw(LiveSession& live, const LiveSession::Pending& execution);
  void end(LiveSession& live, LiveSession::End why, std::function<void()> gone);
  void watch(const std::stop_token& stop);

  Dispatcher& dispatcher_;
  const SessionSettings settings_;
  SessionOwner* owner_ = nullptr;
  SpareSessions spares_;
  std::mutex mutex_;
  std::map<std::string, Shared> sessions_;
  std::jthread watcher_;  // last: it uses what stands above
};

}  // namespace belljar::engine
