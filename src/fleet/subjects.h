// The names that gateways and workers of a fleet meet under.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/jetstream.h"
#include "fleet/object_bucket.h"

namespace belljar::fleet {

// Work that waits, by pool and lane; ends that their gateway has not recorded yet; what streamed
// runs say. Made by the first gateway: workers need not be allowed to.
inline constexpr const char* kWorkStream = "BELLJAR_WORK";  // the first of them
inline constexpr const char* kEndsStream = "BELLJAR_ENDS";
inline constexpr const char* kEventsStream = "BELLJAR_EVENTS";
inline constexpr const char* kBucket = "belljar";
// `work`: streams of work, of which one leader each is all that there is in line.
Status make_streams(JetStream& stream,
                    ObjectBucket& objects,
                    std::uint64_t replicas,
                    std::uint64_t work);
// kUnavailable where a gateway has not made them yet.
Status look_for_streams(JetStream& stream);

inline constexpr unsigned kMostWorkStreams = 8;
std::string work_stream(unsigned index);
// The same for a run at every time and from every gateway with as many streams.
unsigned work_stream_of(std::string_view run, unsigned streams);

// Of several runs that wait the one in the lowest lane goes first, and now and then one of the
// highest, so that none waits for ever.
inline constexpr unsigned kLanes = 8;
// 0 for who waits with nothing else in the queue; a flood of one caller goes behind the few of
// another.
unsigned lane_of(unsigned urgency, std::uint64_t waiting);

std::string work_subject(unsigned stream, const std::string& pool, unsigned lane);
std::string work_consumer(const std::string& pool, unsigned lane);
std::string wake_subject(const std::string& pool);  // says in which lane there is a new one
// A worker's id is two words: its name, which its certificate may carry, and one that no other
// process has. NATS can be told to let a worker use the subjects with its own name alone.
std::string worker_id(const std::string& name, const std::string& unique);
inline constexpr const char* kAnyWorker = "*.*";
std::string order_subject(const std::string& worker);
std::string heard_subject(const std::string& worker);  // ends that its gateway has recorded
std::string worker_subject(const std::string& worker);
std::string gateway_subject(const std::string& gateway);  // or "*"
std::string control_subject(const std::string& worker, const std::string& run);
std::string cancel_subject(const std::string& run);  // whichever worker has it
std::string ends_consumer(const std::string& gateway);
// Below this comes what is answered to requests of a worker of this name, or of any gateway.
std::string worker_inbox(const std::string& name);
inline constexpr const char* kGatewayInbox = "_INBOX.gateway";

// Everything that a gateway is told of its runs: "told" and "done" (not kept), "event" and "end".
std::string told_subject(const std::string& gateway,
                         const char* kind,
                         const std::string& worker,
                         const std::string& run);
struct Told {
  std::string kind;
  std::string worker;  // who says it; NATS has seen to that where each may only use its own name
  std::string run;
};
std::optional<Told> read_told_subject(std::string_view subject);
// The object with an end that is too large for a message.
std::string end_object(const std::string& run, const std::string& worker);
// Of "belljar.workers.<id>": the id.
std::string worker_of(std::string_view subject);

// A worker that has not held its work for so long has died.
inline constexpr std::chrono::seconds kAckWait{10};
inline constexpr std::chrono::seconds kHoldEvery{3};
// Workers and gateways say of themselves how it stands.
inline constexpr Milliseconds kStateEvery{500};
// A worker, or a gateway, that has not been heard of for so long has died.
inline constexpr std::chrono::seconds kWorkerGone{5};
// An end that its gateway has not said to have recorded within this is stored for it.
inline constexpr std::chrono::seconds kHeardWithin{2};
inline constexpr std::chrono::seconds kGatewayGone{5};
// Why an interactive run is not begun again.
inline constexpr std::string_view kInputIsGone =
    "the worker that ran it is gone, and what it had read with it";
// So many workers may die of a run.
inline constexpr std::uint64_t kMostDeaths = 3;
// What is larger goes through the bucket.
inline constexpr std::size_t kMostInline = 512 * 1024;

}  // namespace belljar::fleet
