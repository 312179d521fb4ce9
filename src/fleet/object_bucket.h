// ObjectBucket: what is too large for a message, in a bucket as JetStream's clients lay it out:
// chunks and a description of them in one stream (ADR-20 of nats-architecture-and-design).
//
// Every call may be made from any thread. Errors: as of JetStream.
#pragma once

#include <string>
#include <string_view>

#include "fleet/jetstream.h"

namespace belljar::fleet {

class ObjectBucket {
 public:
  // Borrowed; it outlives it. `bucket`: letters, digits, - and _.
  ObjectBucket(JetStream& stream, std::string bucket)
      : stream_(stream), bucket_(std::move(bucket)) {}

  // What nobody removed goes after `max_age`.
  Status make(std::chrono::seconds max_age, std::uint64_t replicas);
  // All of it is stored when it answers.
  Status put(const std::string& name, std::string_view bytes);
  // kNotFound; kUnavailable also where it is damaged.
  Result<std::string> get(const std::string& name);
  Status remove(const std::string& name);

 private:
  [[nodiscard]] std::string stream_name() const { return "OBJ_" + bucket_; }
  [[nodiscard]] std::string chunks_of(const std::string& nuid) const;
  [[nodiscard]] std::string description_of(const std::string& name) const;

  JetStream& stream_;
  const std::string bucket_;
};

}  // namespace belljar::fleet
