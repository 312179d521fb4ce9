// The names that gateways and workers of a fleet meet under.
#pragma once

#include <chrono>
#include <string>

#include "fleet/jetstream.h"
#include "fleet/object_bucket.h"

namespace belljar::fleet {

// Work that waits, by pool and lane; ends that their gateway has not recorded yet; what streamed
// runs say. Made by whoever comes first.
inline constexpr const char* kWorkStream = "BELLJAR_WORK";
inline constexpr const char* kEndsStream = "BELLJAR_ENDS";
inline constexpr const char* kEventsStream = "BELLJAR_EVENTS";
inline constexpr const char* kBucket = "belljar";
Status make_streams(JetStream& stream, ObjectBucket& objects, std::uint64_t replicas);

// Of several runs that wait the one in the lowest lane goes first, and now and then one of the
// highest, so that none waits for ever.
inline constexpr unsigned kLanes = 8;
// 0 for who waits with nothing else in the queue; a flood of one caller goes behind the few of
// another.
unsigned lane_of(unsigned urgency, std::uint64_t waiting);

std::string work_subject(const std::string& pool, unsigned lane);
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
// A worker that has not been heard of for so long has died.
inline constexpr std::chrono::seconds kWorkerGone{5};
// So many workers may die of a run.
inline constexpr std::uint64_t kMostDeaths = 3;
// What is larger goes through the bucket.
inline constexpr std::size_t kMostInline = 512 * 1024;

}  // namespace belljar::fleet
