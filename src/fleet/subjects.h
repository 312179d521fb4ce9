// The names that gateways and workers of a fleet meet under.
#pragma once

#include <chrono>
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
std::string wake_subject(const std::string& pool);
std::string order_subject(const std::string& worker);
std::string worker_subject(const std::string& worker);    // or "*"
std::string gateway_subject(const std::string& gateway);  // or "*"
std::string control_subject(const std::string& run);      // or "*"
std::string ends_consumer(const std::string& gateway);
// Everything that a gateway is told of its runs: "told" (not kept), "event" and "end".
std::string told_subject(const std::string& gateway, const char* kind, const std::string& run);

// A worker that has not held its work for so long has died.
inline constexpr std::chrono::seconds kAckWait{10};
inline constexpr std::chrono::seconds kHoldEvery{3};
// A worker, or a gateway, that has not been heard of for so long has died.
inline constexpr std::chrono::seconds kWorkerGone{5};
inline constexpr std::chrono::seconds kGatewayGone{5};
// Why an interactive run is not begun again.
inline constexpr std::string_view kInputIsGone =
    "the worker that ran it is gone, and what it had read with it";
// So many workers may die of a run.
inline constexpr std::uint64_t kMostDeaths = 3;
// What is larger goes through the bucket.
inline constexpr std::size_t kMostInline = 512 * 1024;

}  // namespace belljar::fleet
