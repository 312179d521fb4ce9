// What gateways and workers of a fleet say to each other, as values and as the JSON of them.
// Gateways believe the workers; neither takes anything else for granted.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/runner.h"
#include "model/labels.h"
#include "model/outcome.h"
#include "model/submission.h"

namespace belljar::fleet {

// A run for a worker: all that it needs, so that it knows no ledger.
struct Order {
  std::string run;
  std::string gateway;  // who is told
  std::string caller;   // whose compiled programs it may use
  std::string language;
  std::string policy;  // by name
  Submission submission;
  std::string input;  // the program's stdin, or the archive
  // Whether that is all, or the rest comes as InputFrame while it runs, from a terminal or not.
  enum class Reads : std::uint8_t { kBytes, kPipe, kTerminal } reads = Reads::kBytes;
  bool unpack = false;  // no program: what is in the archive comes back as the outcome's artifacts
  std::uint64_t memory = 0;
  std::uint64_t cpus_milli = 0;
  std::int64_t expires_ms = 0;  // Unix time: not started later than this
  bool streamed = false;        // tell what it writes while it runs
};
std::string to_json(const Order& order);
Result<Order> read_order(std::string_view text);

// An order on its way, or the name of the object that has it.
struct Parcel {
  struct Past {
    std::uint64_t deaths = 0;    // workers that died of it, as far as its gateway knows
    std::uint64_t attempts = 0;  // how often a worker was given it, likewise
  } past;
  std::string object;  // empty: `order`
  Order order;
};
// `order`: as JSON.
std::string parcel_of(const Parcel::Past& past, std::string_view order);
std::string parcel_of_object(const Parcel::Past& past, std::string_view object);
Result<Parcel> read_parcel(std::string_view text);

// How a run ended at a worker.
struct End {
  std::string run;
  Result<Outcome> outcome = Outcome();  // with its artifacts; or what Belljar could not do
  bool started = true;                  // false: it was given up before
  std::int64_t began_us_ago = 0;        // microseconds from its beginning until it was told
  std::uint64_t attempt = 0;            // how often a worker had been given it; 0: not known
};
std::string to_json(const End& end);
Result<End> read_end(std::string_view text);

// What a run does meanwhile, or that the worker has no room for it.
struct Happening {
  enum class Kind : std::uint8_t { kBegun, kBusy, kStage, kOut, kErr, kTaken };
  Kind kind = Kind::kBegun;
  std::uint64_t attempt = 0;          // kBegun, as of End
  std::uint64_t frames = 0;           // kTaken: input frames that came, without a gap
  std::uint64_t written = 0;          // kTaken: bytes of stdin that the program has, or its pipe
  StageKind stage = StageKind::kRun;  // kStage
  std::string bytes;                  // kOut, kErr
};
std::string to_json(const Happening& happening);
Result<Happening> read_happening(std::string_view text);

// What an interactive run is sent, in order: each frame's number is one more than the one before.
struct InputFrame {
  enum class Kind : std::uint8_t { kBytes, kEnd, kControl };
  std::uint64_t number = 0;  // from 1
  Kind kind = Kind::kBytes;
  std::string bytes;             // kBytes, of stdin; kEnd: it has no more
  engine::InputControl control;  // kControl
};
std::string to_json(const InputFrame& frame);
Result<InputFrame> read_input_frame(std::string_view text);

std::string to_json(const engine::InputControl& control);
Result<engine::InputControl> read_control(std::string_view text);

// What a worker says of itself, again and again.
struct WorkerState {
  std::string id;
  std::string pool;  // those that can run the same
  std::string kernel;
  std::vector<std::string> languages;  // names of runtimes whose toolchains are there
  Labels labels;
  std::uint64_t capacity = 0;  // runs at once
  std::uint64_t running = 0;
  std::uint64_t waiting = 0;  // for a place there, for a moment
  bool draining = false;      // takes nothing more
};
std::string to_json(const WorkerState& state);
Result<WorkerState> read_worker_state(std::string_view text);

// What a gateway says of itself.
struct GatewayState {
  struct Caller {
    std::string id;
    std::uint64_t waiting = 0;
    std::uint64_t running = 0;
  };
  std::string id;
  std::vector<Caller> callers;                  // those that have runs
  std::map<std::string, std::uint64_t> let_in;  // requests of each caller in the last minute
  std::uint64_t oldest_ms = 0;    // how long the first of its runs that wait has waited
  std::uint64_t redelivered = 0;  // how often one was given to a worker once more
};
std::string to_json(const GatewayState& state);
Result<GatewayState> read_gateway_state(std::string_view text);

// Runs whose ends are recorded, for the worker that told them.
std::string to_json(const std::vector<std::string>& runs);
Result<std::vector<std::string>> read_runs(std::string_view text);

// Something too large for a message: the name of the object that has it.
std::string reference_to(const std::string& object);
std::optional<std::string> referred_object(std::string_view text);

}  // namespace belljar::fleet
