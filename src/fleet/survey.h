// Survey: what a fleet says of itself to somebody who listens for a moment.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fleet/connection.h"
#include "fleet/messages.h"
#include "fleet/session_messages.h"

namespace belljar::fleet {

struct Queue {
  std::string pool;
  unsigned lane = 0;
  std::uint64_t waiting = 0;
  std::uint64_t out = 0;          // at a worker
  std::uint64_t redelivered = 0;  // of those: a worker had them before
};

struct Survey {
  std::vector<WorkerState> workers;               // by id
  std::vector<GatewayState> gateways;             // by id
  std::map<std::string, SessionsState> sessions;  // by worker
  std::vector<Queue> queues;                      // those of the workers' pools that are not empty
  std::uint64_t unrecorded_ends = 0;              // that wait for their gateway
  std::string unknown;  // why these two are not known, where JetStream does not answer
};

// Takes as long as two of the messages that each of them sends again and again; longer where
// JetStream does not answer, which is no error: who asks wants to see what is left.
Result<Survey> survey(Connection& connection);

}  // namespace belljar::fleet
