#include "fleet/survey.h"

#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "fleet/heartbeat.h"
#include "fleet/jetstream.h"
#include "fleet/session_subjects.h"
#include "fleet/subjects.h"

namespace belljar::fleet {
namespace {

// In all streams of work together.
Result<ConsumerState> waiting_in(JetStream& stream, const std::string& pool, unsigned lane) {
  ConsumerState sum;
  for (unsigned i = 0; i < kMostWorkStreams; ++i) {
    const auto one = stream.consumer_state(work_stream(i), work_consumer(pool, lane));
    if (!one && one.error().code == Code::kNotFound) break;
    if (!one) return std::unexpected(one.error());
    sum.waiting += one->waiting;
    sum.out += one->out;
    sum.redelivered += one->redelivered;
  }
  return sum;
}

Status look_at_queues(JetStream& stream, const std::set<std::string>& pools, Survey& found) {
  for (const std::string& pool : pools) {
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      TRY_ASSIGN(const ConsumerState state, waiting_in(stream, pool, lane));
      if (state.waiting + state.out == 0) continue;
      found.queues.push_back({.pool = pool,
                              .lane = lane,
                              .waiting = state.waiting,
                              .out = state.out,
                              .redelivered = state.redelivered});
    }
  }
  TRY_ASSIGN(const StreamState ends, stream.stream_state(kEndsStream));
  found.unrecorded_ends = ends.messages;
  return {};
}

}  // namespace

Result<Survey> survey(Connection& connection) {
  constexpr Milliseconds kListen{1200};
  std::mutex mutex;
  std::map<std::string, WorkerState> workers;
  std::map<std::string, GatewayState> gateways;
  Survey found;
  {
    TRY_ASSIGN(const auto from_workers,
               connection.subscribe(worker_subject(kAnyWorker), [&](const Message& message) {
                 auto state = read_worker_state(message.data);
                 if (!state || state->id != worker_of(message.subject)) return;
                 const std::lock_guard lock(mutex);
                 workers.insert_or_assign(state->id, *state);
               }));
    TRY_ASSIGN(const auto from_gateways,
               connection.subscribe(gateway_subject("*"), [&](const Message& message) {
                 auto state = read_gateway_state(message.data);
                 const std::lock_guard lock(mutex);
                 if (state) gateways.insert_or_assign(state->id, *state);
               }));
    TRY_ASSIGN(const auto of_sessions,
               connection.subscribe(told_of_session("told", kAnyWorker, kItsSessions),
                                    [&](const Message& message) {
                                      auto state = read_sessions_state(message.data);
                                      const auto told = read_told_subject(message.subject);
                                      if (!state || !told || state->worker != told->worker) return;
                                      const std::lock_guard lock(mutex);
                                      found.sessions.insert_or_assign(state->worker, *state);
                                    }));
    TRY(connection.publish(kRollCall, ""));
    std::this_thread::sleep_for(kListen);
  }
  std::set<std::string> pools;
  for (auto& [id, each] : workers) {
    pools.insert(each.pool);
    found.workers.push_back(std::move(each));
  }
  for (auto& [id, each] : gateways) found.gateways.push_back(std::move(each));
  JetStream stream(connection);
  if (const Status looked = look_at_queues(stream, pools, found); !looked) {
    found.unknown = looked.error().message;
  }
  return found;
}

}  // namespace belljar::fleet
