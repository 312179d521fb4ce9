#include "fleet/subjects.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/units.h"

namespace belljar::fleet {
namespace {

constexpr std::string_view kWorkers = "belljar.workers.";

}  // namespace

Status make_streams(JetStream& stream,
                    ObjectBucket& objects,
                    std::uint64_t replicas,
                    std::uint64_t work) {
  constexpr std::chrono::hours kDay{24};
  constexpr auto kEventBytes = static_cast<std::int64_t>(256 * kMiB);
  for (unsigned i = 0; i < work; ++i) {
    TRY(stream.make_stream({.name = work_stream(i),
                            .subjects = {"belljar.work." + std::to_string(i) + ".>"},
                            .work_queue = true,
                            .duplicates = std::chrono::minutes(10),
                            .replicas = replicas}));
  }
  TRY(stream.make_stream({.name = kEndsStream,
                          .subjects = {told_subject("*", "end", kAnyWorker, "*")},
                          .work_queue = true,
                          .max_age = kDay,
                          .replicas = replicas}));
  TRY(stream.make_stream({.name = kEventsStream,
                          .subjects = {told_subject("*", "event", kAnyWorker, "*")},
                          .in_memory = true,
                          .discards_old = true,
                          .max_bytes = kEventBytes,
                          .max_age = std::chrono::minutes(15),
                          .replicas = replicas}));
  return objects.make(kDay, replicas);
}

unsigned lane_of(unsigned urgency, std::uint64_t waiting) {
  const auto doublings = static_cast<unsigned>(std::bit_width(waiting + 1)) - 1;
  return std::min(urgency + doublings, kLanes - 1);
}

Status look_for_streams(JetStream& stream) {
  for (const std::string& name : {std::string(kWorkStream), std::string(kEndsStream),
                                  std::string(kEventsStream), "OBJ_" + std::string(kBucket)}) {
    const auto there = stream.stream_state(name);
    if (there) continue;
    if (there.error().code != Code::kNotFound) return std::unexpected(there.error());
    return fail(Code::kUnavailable, "no gateway has made the stream " + name + " yet");
  }
  return {};
}

std::string work_stream(unsigned index) {
  return index == 0 ? kWorkStream : kWorkStream + ("_" + std::to_string(index));
}

// FNV-1a: the library's own hash may be another one in the next version.
unsigned work_stream_of(std::string_view run, unsigned streams) {
  std::uint32_t hash = 2166136261U;
  for (const char c : run) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash % std::max(streams, 1U);
}

std::string work_subject(unsigned stream, const std::string& pool, unsigned lane) {
  return "belljar.work." + std::to_string(stream) + "." + pool + "." + std::to_string(lane);
}

std::string work_consumer(const std::string& pool, unsigned lane) {
  return pool + "-" + std::to_string(lane);
}

std::string wake_subject(const std::string& pool) {
  return "belljar.wake." + pool;
}

std::string worker_id(const std::string& name, const std::string& unique) {
  return name + "." + unique;
}

std::string order_subject(const std::string& worker) {
  return "belljar.order." + worker;
}

std::string heard_subject(const std::string& worker) {
  return "belljar.heard." + worker;
}

std::string worker_subject(const std::string& worker) {
  return std::string(kWorkers) + worker;
}

std::string worker_of(std::string_view subject) {
  return std::string(subject.substr(std::min(subject.size(), kWorkers.size())));
}

std::string gateway_subject(const std::string& gateway) {
  return "belljar.gateways." + gateway;
}

std::string control_subject(const std::string& worker, const std::string& run) {
  return "belljar.control." + worker + "." + run;
}

std::string cancel_subject(const std::string& run) {
  return "belljar.cancel." + run;
}

std::string ends_consumer(const std::string& gateway) {
  return "ends-" + gateway;
}

std::string worker_inbox(const std::string& name) {
  return "_INBOX.worker." + name;
}

std::string end_object(const std::string& run, const std::string& worker) {
  return "end." + run + "." + worker;
}

std::string told_subject(const std::string& gateway,
                         const char* kind,
                         const std::string& worker,
                         const std::string& run) {
  return "belljar.gateway." + gateway + "." + kind + "." + worker + "." + run;
}

// "belljar.gateway.<gateway>.<kind>.<name>.<unique>.<run>"
std::optional<Told> read_told_subject(std::string_view subject) {
  const std::vector<std::string_view> words = words_of(subject);
  constexpr std::size_t kWords = 7;
  if (words.size() != kWords || words[0] != "belljar" || words[1] != "gateway") return std::nullopt;
  return Told{.kind = std::string(words[3]),
              .worker = worker_id(std::string(words[4]), std::string(words[5])),
              .run = std::string(words[6])};
}

}  // namespace belljar::fleet
