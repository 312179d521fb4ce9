// Worker: takes runs of a fleet from NATS, has them run on this machine, and tells how they ended.
// It knows no ledger: it stands beside hostile code.
//
// Every member may be called from any thread.
#pragma once

#include <array>
#include <bitset>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/units.h"
#include "engine/runner.h"
#include "fleet/connection.h"
#include "fleet/heartbeat.h"
#include "fleet/jetstream.h"
#include "fleet/messages.h"
#include "fleet/object_bucket.h"
#include "fleet/subjects.h"

namespace belljar::fleet {

struct WorkerSettings {
  std::string id;    // worker_id(), unlike any other worker's
  std::string pool;  // likewise; workers of one pool can run the same
  std::string kernel;
  std::vector<std::string> languages;
  Labels labels;
  std::size_t capacity = 1;  // runs at once
  // What comes directly and finds no room waits so long for some, then it is given back: another
  // worker may have some.
  Nanoseconds in_line_for = Milliseconds(100);
};

class Worker {
 public:
  // Borrowed; both outlive it. Takes runs when it answers. kUnavailable also where no gateway has
  // been there yet.
  static Result<std::unique_ptr<Worker>> open(std::unique_ptr<Connection> connection,
                                              engine::Runner& runner,
                                              WorkerSettings settings);
  // After a drain() that finished, or when the runner has none of its runs any more.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Takes nothing more; what it has is finished and told. False where that took too long.
  bool drain(Nanoseconds patience);
  [[nodiscard]] WorkerState state() const;
  [[nodiscard]] bool is_up() const { return connection_->is_up(); }

 private:
  class Assignment;
  struct Finished {
    std::string gateway;
    std::string run;
    std::string text;
    std::optional<Delivery> delivery;
    bool in_bucket = false;
  };
  struct Unheard {
    Finished finished;
    Nanoseconds said{};
  };
  Worker(std::unique_ptr<Connection> connection, engine::Runner& runner, WorkerSettings settings);
  Status begin();
  [[nodiscard]] bool has_room_locked() const;
  [[nodiscard]] bool may_pull_locked() const;
  [[nodiscard]] std::size_t running_locked() const;
  void let_go(const std::string& run);
  void begin_from_line();
  void leave_line(Nanoseconds now);
  [[nodiscard]] bool has(const std::string& run) const;
  void take_directly(const Message& message);
  void pull(const std::stop_token& stop);
  std::optional<Delivery> next_delivery(unsigned turn);
  std::optional<Delivery> next_of(unsigned stream, unsigned lane);
  bool is_lane_to_look_into(unsigned lane);
  void take(const std::string& text, std::optional<Delivery> delivery);
  void do_without(Assignment& assignment, const Error& why);
  void refuse(Assignment& assignment);
  Status find_streams();
  Status hand_over(const std::shared_ptr<Assignment>& assignment);
  Status begin_run(const std::shared_ptr<Assignment>& assignment);
  Status submit(const std::shared_ptr<Assignment>& assignment);
  void finish(const Order& order, End end, std::optional<Delivery> delivery);
  bool say_end(const Finished& finished);
  void take_heard(const Message& message);
  void store_unheard();
  void store_ends(const std::stop_token& stop);
  bool store(Finished& finished);
  void control(const Message& message);
  void keep_alive(const std::stop_token& stop);
  void say_state();

  const std::unique_ptr<Connection> connection_;
  engine::Runner& runner_;
  const WorkerSettings settings_;
  JetStream stream_;
  ObjectBucket objects_;
  mutable std::mutex mutex_;
  std::condition_variable_any pulls_;    // there is room, or a lane to look into
  std::condition_variable_any stores_;   // there is an end to store
  std::condition_variable_any drained_;  // an end is recorded or stored, after drain()
  std::map<std::string, std::shared_ptr<Assignment>> assignments_;  // by run, in line or begun
  // Runs that came directly while there was no room.
  struct InLine {
    std::shared_ptr<Assignment> run;
    Nanoseconds since{};
  };
  std::deque<InLine> line_;
  bool is_queues_turn_ = false;             // the last place went to one in line
  bool pull_waits_ = false;                 // who pulls can take a place
  std::map<std::string, Unheard> unheard_;  // by run: told, and not known to be recorded
  std::deque<Finished> finished_;           // to be stored
  std::size_t storing_ = 0;
  unsigned streams_ = 0;  // of work, that it takes from
  // A lane of a stream whose leader does not answer is left alone, for longer each time: it would
  // keep what is in the others waiting. Of the thread that pulls.
  struct Silence {
    Nanoseconds until{};
    Nanoseconds pause{};  // zero: it answers
  };
  std::array<std::array<Silence, kLanes>, kMostWorkStreams> silences_{};
  std::size_t reserved_ = 0;   // 1 while a run is fetched, for which there must be room
  std::bitset<kLanes> lanes_;  // that may have something, as far as is known
  Nanoseconds swept_{};        // when all lanes were to be looked into last
  bool draining_ = false;
  Heartbeat heartbeat_{kStateEvery};
  // Last: they use what stands above.
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  std::vector<std::jthread> threads_;
};

}  // namespace belljar::fleet
