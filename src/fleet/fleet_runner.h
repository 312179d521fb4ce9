// FleetRunner: has programs run by the workers of a fleet, found and reached through NATS.
//
// What somebody waits for goes to a worker with room, if there is one; everything else, and what
// no worker has taken, waits in the work queue. What was submitted is kept here until its end, and
// given to the fleet again where it is not certain that the fleet has it: a run may be begun more
// than once, and is ended once.
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

#include "engine/runner.h"
#include "fleet/connection.h"
#include "fleet/heartbeat.h"
#include "fleet/input_sender.h"
#include "fleet/jetstream.h"
#include "fleet/keyed_threads.h"
#include "fleet/let_in.h"
#include "fleet/messages.h"
#include "fleet/object_bucket.h"
#include "fleet/roster.h"
#include "fleet/subjects.h"

namespace belljar::fleet {

struct GatewaySettings {
  std::string
      id;  // the same after a restart: ends of its runs wait for it; letters, digits, - and _
  std::size_t queue = 1000;            // most runs of this gateway that wait
  std::size_t queue_per_caller = 200;  // in the whole fleet
  std::uint64_t replicas = 1;          // of the streams, where it is the first to come
  std::uint64_t work_streams = 1;      // that what waits is spread over, 1 to kMostWorkStreams
};

class FleetRunner : public engine::Runner {
 public:
  static Result<std::unique_ptr<FleetRunner>> open(std::unique_ptr<Connection> connection,
                                                   GatewaySettings settings);
  // What it has not ended is told to nobody.
  ~FleetRunner() override;

  Status submit(engine::Task task) override;
  [[nodiscard]] Status check(const engine::Task& task, std::size_t count) const override;
  Status unpack(engine::Unpacking unpacking) override;
  void cancel_elsewhere(const std::string& run) override;
  std::unique_ptr<engine::Following> follow(const std::string& run,
                                            engine::Observer& observer) override;
  bool drain(Nanoseconds patience) override;
  [[nodiscard]] Status ready() const override;
  [[nodiscard]] bool has(const runtime::Manifest& language) const override;
  [[nodiscard]] engine::RunnerState state() const override;
  void let_in(const std::string& caller, std::size_t count) override;
  [[nodiscard]] std::size_t let_in_elsewhere(const std::string& caller) const override;
  [[nodiscard]] std::vector<engine::Gauge> gauges() const override;

 private:
  struct Run {
    std::string id;
    std::string caller;
    std::string language;  // empty: any
    Labels labels;
    std::string order;   // as JSON; empty where it is in the bucket
    std::string object;  // its name there; empty: it is small enough for a message
    std::shared_ptr<engine::RunListener> listener;
    engine::Urgency urgency{};
    std::size_t concurrent = 0;
    Nanoseconds deadline{};
    // Where it is, as far as is known.
    enum class Place : std::uint8_t { kHere, kSent, kQueued, kRunning } place = Place::kHere;
    Nanoseconds since{};             // at that place
    std::string worker;              // kSent, kRunning
    bool direct = false;             // the worker has it from here and not from the queue
    std::vector<std::string> given;  // workers that were sent it
    std::set<std::string> left;      // those that were on the way out when they had it
    bool was_queued = false;         // whoever took it from there may know it
    bool only_queue = false;         // no worker took it when it was sent
    bool started = false;
    std::uint64_t deaths = 0;
    // The message that it is in the queue as.
    struct Queued {
      unsigned stream = 0;
      std::string pool;
      unsigned lane = 0;
      std::uint64_t number = 0;
      Nanoseconds missed{};  // when it was first seen not to be there; zero: it is
    } queued;
    unsigned times_queued = 0;  // as different messages
    unsigned times_missed = 0;  // in the queue
    std::uint64_t attempt = 0;  // how often a worker was given it, as far as is known
    Nanoseconds submitted{};
    std::shared_ptr<InputSender> input;  // where it reads while it runs
  };
  using Shared = std::shared_ptr<Run>;

  FleetRunner(std::unique_ptr<Connection> connection, GatewaySettings settings);
  Status begin();
  Shared make_run(const engine::Task& task, std::shared_ptr<engine::RunListener> listener) const;
  Status make_order(const engine::Task& task, bool unpack, const Shared& run);
  Status take_in(const std::vector<Shared>& runs);
  void place(const Shared& run);
  static std::string parcel(const Run& run);
  bool send(const Shared& run);
  void enqueue(const Shared& run);
  [[nodiscard]] bool may_go_locked(const Run& run) const;
  [[nodiscard]] GatewayState::Caller of_caller_locked(const std::string& caller) const;
  [[nodiscard]] Status check_nats_locked() const;
  [[nodiscard]] Status check_locked(const engine::Task& task, std::size_t count) const;

  void take_told(const Message& message);
  void take_done(const Told& told, const std::string& text);
  [[nodiscard]] bool may_tell(const Run& run, const std::string& worker) const;
  void on_happening(const Shared& run, const Told& told, const Happening& happening);
  bool on_end(const Told& told, const std::string& text);
  [[nodiscard]] bool is_over(const std::string& id) const;
  bool start(const Shared& run, std::uint64_t attempt);
  void end_without_input(const Shared& run);
  void give_to_another(const Shared& run, const std::string& worker);
  void forget(const Shared& run);
  [[nodiscard]] Shared find(const std::string& id) const;
  void send_control(const std::string& run, const engine::InputControl& control);
  // False where nobody knows of a worker that has it, or NATS is away.
  bool tell_worker(const std::string& run, const std::string& text);

  void watch(const std::stop_token& stop);
  void look_after_runs();
  [[nodiscard]] Nanoseconds oldest_wait_locked() const;
  void say_state();
  void say_heard();
  void take_late_ends(const std::stop_token& stop);
  void look_after_queue(const std::stop_token& stop);
  [[nodiscard]] static bool is_from_queue_locked(const Run& run);
  // Whether it was missed once more.
  bool is_missed_again(const Shared& run, const std::string& stream, const ConsumerState& consumer);
  void give_again_locked(const Shared& run);

  const std::unique_ptr<Connection> connection_;
  const GatewaySettings settings_;
  mutable JetStream stream_;
  mutable ObjectBucket objects_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;  // a run is over, or a worker is there
  std::map<std::string, Shared> runs_;
  std::map<std::string, GatewayState::Caller> callers_;  // of this gateway
  std::size_t waiting_ = 0;
  Roster roster_;
  std::set<std::string> over_;  // ends that may come again
  std::deque<std::string> over_order_;
  std::map<std::string, std::vector<std::string>> heard_;  // by worker: ends to confirm
  std::uint64_t again_ = 0;        // how often a run was given to the fleet again
  std::uint64_t redelivered_ = 0;  // how often a worker was given one that another had been given
  LetIn let_in_;
  Nanoseconds up_at_{};  // when NATS was seen to be there last
  bool closed_ = false;
  Heartbeat heartbeat_{kStateEvery};
  // Last: they use what stands above.
  std::optional<KeyedThreads> threads_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  std::vector<std::jthread> watchers_;
};

}  // namespace belljar::fleet
