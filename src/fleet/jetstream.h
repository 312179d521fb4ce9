// JetStream's own words, over a Connection: streams, durable pull consumers, messages that are
// stored once. Its API is requests and answers in JSON, the same for every client
// (docs.nats.io/reference/reference-protocols/nats_api_reference); no more of it is here than is
// used. Nothing newer than nats-server 2.9.
//
// Every call may be made from any thread. Errors: as of Connection; kNotFound where what is asked
// for is not there; kInvalid where the server refuses what was asked.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fleet/connection.h"

namespace belljar::fleet {

struct StreamSettings {
  std::string name;
  std::vector<std::string> subjects;
  bool work_queue = false;  // a message goes when it has been acknowledged
  bool in_memory = false;
  bool discards_old = false;          // when it is full; else it takes nothing more
  bool rolls_up = false;              // a message may replace the others of its subject
  std::int64_t max_bytes = -1;        // -1: no limit
  std::chrono::seconds max_age{};     // zero: no limit
  std::chrono::seconds duplicates{};  // how long an id is remembered; zero: the server's usual
  std::uint64_t replicas = 1;
};

struct StreamState {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

struct ConsumerState {
  std::uint64_t waiting = 0;       // not delivered yet
  std::uint64_t out = 0;           // delivered and not acknowledged
  std::uint64_t redelivered = 0;   // of those, more than once
  std::uint64_t delivered = 0;     // number in the stream of the last that was delivered
  std::uint64_t acknowledged = 0;  // and of the last up to which all are acknowledged
};

// A message of a consumer, which has it until it is acknowledged or its time is over.
struct Delivery {
  std::string subject;
  std::string data;
  std::string acknowledge;      // the subject for it
  std::uint64_t delivered = 0;  // from 1: how often
};

class JetStream {
 public:
  // Borrowed; it outlives it.
  explicit JetStream(Connection& connection) : connection_(connection) {}

  // Makes it, or leaves one that is there as it is.
  Status make_stream(const StreamSettings& settings);
  // Pull, explicit acknowledgements: what is not acknowledged within `ack_wait` is delivered again.
  Status make_consumer(const std::string& stream,
                       const std::string& durable,
                       const std::string& filter,
                       std::chrono::seconds ack_wait);
  Result<StreamState> stream_state(const std::string& stream);
  Result<ConsumerState> consumer_state(const std::string& stream, const std::string& durable);

  // Stored when it answers, with its number in the stream; a message of an id that came before, of
  // late, is stored no second time, and has the number of the first.
  Result<std::uint64_t> publish(const std::string& subject,
                                std::string_view data,
                                const std::string& id,
                                Milliseconds patience,
                                const std::vector<Header>& headers = {});
  // Nothing where none waits.
  Result<std::optional<Delivery>> next(const std::string& stream,
                                       const std::string& durable,
                                       Milliseconds patience = Milliseconds(5000));
  Status acknowledge(const Delivery& delivery);  // it is done, and goes
  Status hold(const Delivery& delivery);         // it is being worked on: its time begins anew
  Status give_back(const Delivery& delivery);    // delivered again at once

  // The first message from this number on of this subject, which may have wildcards; of all that is
  // stored the last, where `from` is 0. kNotFound where there is none.
  struct Stored {
    std::uint64_t number = 0;
    std::string subject;
    std::string data;
  };
  Result<Stored> get(const std::string& stream, const std::string& subject, std::uint64_t from);
  // Whether the message of this number is there.
  Result<bool> has(const std::string& stream, std::uint64_t number);
  // Removes what has this subject; where `below` is not 0, of that only what has a lower number.
  Status purge(const std::string& stream, const std::string& subject, std::uint64_t below = 0);

  // For what nodes of 2.9 leave of a work queue whose leaders fall one after the other. Messages
  // that are gone and that a consumer still waits for: it stumbles over each of them again and
  // again, and who asks it waits in vain. This acknowledges them; answers how it stands then.
  Result<ConsumerState> mend(const std::string& stream, const std::string& durable);
  // next(), for who asks again and again: where that fails the consumer is mended for the next
  // time.
  std::optional<Delivery> next_or_mend(const std::string& stream, const std::string& durable);
  // Of a node whose store cannot be read any more, though it takes messages, another one takes
  // over.
  void change_leaders(const std::string& stream, const std::string& durable);
  // And messages that the consumer of `subject` is past and that are still there: nobody ever gets
  // them. This removes them.
  Status remove_what_is_past(const std::string& stream,
                             const std::string& subject,
                             const ConsumerState& consumer);

 private:
  Status acknowledge_what_is_gone(const std::string& stream,
                                  const std::string& durable,
                                  const ConsumerState& state);
  Result<boost::json::value> ask(const std::string& what, const boost::json::value& question);

  Connection& connection_;
};

}  // namespace belljar::fleet
