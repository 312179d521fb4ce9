#include "fleet/jetstream.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "base/units.h"

namespace belljar::fleet {
namespace {

namespace json = boost::json;

constexpr Milliseconds kPatience{5000};
constexpr int kNotThere = 404;
constexpr int kNoLeader = 503;

std::int64_t nanoseconds(std::chrono::seconds time) {
  return std::chrono::nanoseconds(time).count();
}

Result<json::value> parse(const std::string& text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return fail(Code::kUnavailable, "NATS: no JSON answer");
  return value;
}

// What the server says went wrong, if it says so.
Status check(const json::value& answer) {
  const json::value* const error = answer.as_object().if_contains("error");
  if (error == nullptr || !error->is_object()) return {};
  const json::object& object = error->get_object();
  const json::value* const code = object.if_contains("code");
  const json::value* const text = object.if_contains("description");
  const std::int64_t number = code != nullptr && code->is_int64() ? code->get_int64() : 0;
  const std::string message =
      "JetStream: " +
      (text != nullptr && text->is_string() ? std::string(text->get_string()) : "refused");
  if (number == kNotThere) return fail(Code::kNotFound, message);
  return fail(number >= kNoLeader ? Code::kUnavailable : Code::kInvalid, message);
}

std::uint64_t number_of(const json::value* value) {
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0
             ? static_cast<std::uint64_t>(value->get_int64())
             : 0;
}

const json::value* member(const json::value& answer, std::string_view name) {
  return answer.is_object() ? answer.get_object().if_contains(name) : nullptr;
}

std::uint64_t number_in(const json::value& answer, std::string_view name) {
  return number_of(member(answer, name));
}

// Of what stands in a consumer's `delivered` and `ack_floor`.
std::uint64_t stream_number_in(const json::value& answer, std::string_view name) {
  const json::value* const pair = member(answer, name);
  return pair == nullptr ? 0 : number_in(*pair, "stream_seq");
}

// "$JS.ACK.<stream>.<consumer>.<delivered>.…", with two words more after ACK where servers have
// domains.
std::uint64_t deliveries_of(std::string_view acknowledge) {
  const std::vector<std::string_view> words = words_of(acknowledge);
  constexpr std::size_t kPlain = 9;
  const std::size_t at = words.size() > kPlain ? 6 : 4;
  return at < words.size() ? parse_count(words[at]).value_or(1) : 1;
}

}  // namespace

Result<json::value> JetStream::ask(const std::string& what, const json::value& question) {
  TRY_ASSIGN(const Message answer,
             connection_.request("$JS.API." + what, json::serialize(question), kPatience));
  if (answer.status != 0) {
    return fail(Code::kUnavailable, "JetStream: status " + std::to_string(answer.status));
  }
  TRY_ASSIGN(json::value value, parse(answer.data));
  TRY(check(value));
  return value;
}

Status JetStream::make_stream(const StreamSettings& settings) {
  const auto there = ask("STREAM.INFO." + settings.name, json::object());
  if (there) return {};
  if (there.error().code != Code::kNotFound) return std::unexpected(there.error());
  json::object wanted{{"name", settings.name},
                      {"subjects", json::value_from(settings.subjects)},
                      {"retention", settings.work_queue ? "workqueue" : "limits"},
                      {"storage", settings.in_memory ? "memory" : "file"},
                      {"discard", settings.discards_old ? "old" : "new"},
                      {"max_consumers", -1},
                      {"max_msgs", -1},
                      {"max_bytes", settings.max_bytes},
                      {"max_age", nanoseconds(settings.max_age)},
                      {"allow_rollup_hdrs", settings.rolls_up},
                      {"num_replicas", settings.replicas}};
  if (settings.duplicates.count() > 0) {
    wanted["duplicate_window"] = nanoseconds(settings.duplicates);
  }
  const auto made = ask("STREAM.CREATE." + settings.name, wanted);
  if (made) return {};
  // Somebody else made it in the same moment.
  if (ask("STREAM.INFO." + settings.name, json::object())) return {};
  return std::unexpected(made.error());
}

Status JetStream::make_consumer(const std::string& stream,
                                const std::string& durable,
                                const std::string& filter,
                                std::chrono::seconds ack_wait) {
  constexpr int kMostOut = 100'000;
  const json::object config{{"durable_name", durable},  {"deliver_policy", "all"},
                            {"ack_policy", "explicit"}, {"ack_wait", nanoseconds(ack_wait)},
                            {"max_deliver", -1},        {"max_ack_pending", kMostOut},
                            {"filter_subject", filter}, {"replay_policy", "instant"}};
  TRY(ask("CONSUMER.DURABLE.CREATE." + stream + "." + durable,
          json::object{{"stream_name", stream}, {"config", config}}));
  return {};
}

Result<StreamState> JetStream::stream_state(const std::string& stream) {
  TRY_ASSIGN(const json::value answer, ask("STREAM.INFO." + stream, json::object()));
  const json::value* const state = answer.as_object().if_contains("state");
  if (state == nullptr) return fail(Code::kUnavailable, "JetStream: no state");
  return StreamState{.messages = number_in(*state, "messages"),
                     .bytes = number_in(*state, "bytes")};
}

Result<ConsumerState> JetStream::consumer_state(const std::string& stream,
                                                const std::string& durable) {
  TRY_ASSIGN(const json::value answer,
             ask("CONSUMER.INFO." + stream + "." + durable, json::object()));
  ConsumerState state{.waiting = number_in(answer, "num_pending"),
                      .out = number_in(answer, "num_ack_pending"),
                      .redelivered = number_in(answer, "num_redelivered"),
                      .delivered = stream_number_in(answer, "delivered"),
                      .acknowledged = stream_number_in(answer, "ack_floor")};
  // After a change of leaders the floor may stay behind.
  if (state.out == 0) state.acknowledged = state.delivered;
  return state;
}

Result<std::uint64_t> JetStream::publish(const std::string& subject,
                                         std::string_view data,
                                         const std::string& id,
                                         Milliseconds patience,
                                         const std::vector<Header>& headers) {
  std::vector<Header> all = headers;
  if (!id.empty()) all.emplace_back("Nats-Msg-Id", id);
  TRY_ASSIGN(const Message answer, connection_.request(subject, data, patience, all));
  if (answer.status != 0) {
    return fail(Code::kUnavailable, "JetStream: status " + std::to_string(answer.status));
  }
  TRY_ASSIGN(const json::value value, parse(answer.data));
  TRY(check(value));
  return number_in(value, "seq");
}

Result<std::optional<Delivery>> JetStream::next(const std::string& stream,
                                                const std::string& durable,
                                                Milliseconds patience) {
  TRY_ASSIGN(Message got, connection_.request("$JS.API.CONSUMER.MSG.NEXT." + stream + "." + durable,
                                              R"({"batch":1,"no_wait":true})", patience));
  if (got.status == kNotThere) return std::optional<Delivery>();
  if (got.status != 0 || !got.reply.starts_with("$JS.ACK.")) {
    return fail(Code::kUnavailable, "JetStream: status " + std::to_string(got.status));
  }
  const std::uint64_t delivered = deliveries_of(got.reply);
  return Delivery{.subject = std::move(got.subject),
                  .data = std::move(got.data),
                  .acknowledge = std::move(got.reply),
                  .delivered = delivered};
}

Status JetStream::acknowledge(const Delivery& delivery) {
  return connection_.publish(delivery.acknowledge, "+ACK");
}

Status JetStream::hold(const Delivery& delivery) {
  return connection_.publish(delivery.acknowledge, "+WPI");
}

Status JetStream::give_back(const Delivery& delivery) {
  return connection_.publish(delivery.acknowledge, "-NAK");
}

Result<JetStream::Stored> JetStream::get(const std::string& stream,
                                         const std::string& subject,
                                         std::uint64_t from) {
  json::object question{{"last_by_subj", subject}};
  if (from > 0) question = {{"seq", from}, {"next_by_subj", subject}};
  TRY_ASSIGN(const json::value answer, ask("STREAM.MSG.GET." + stream, question));
  const json::value* const message = answer.as_object().if_contains("message");
  if (message == nullptr || !message->is_object()) {
    return fail(Code::kUnavailable, "JetStream: no message");
  }
  const json::object& object = message->get_object();
  const json::value* const data = object.if_contains("data");
  const json::value* const name = object.if_contains("subject");
  auto bytes = base64_decode(data != nullptr && data->is_string() ? std::string(data->get_string())
                                                                  : std::string());
  if (!bytes || name == nullptr || !name->is_string()) {
    return fail(Code::kUnavailable, "JetStream: no message");
  }
  return Stored{.number = number_in(*message, "seq"),
                .subject = std::string(name->get_string()),
                .data = *std::move(bytes)};
}

Result<bool> JetStream::has(const std::string& stream, std::uint64_t number) {
  const auto got = ask("STREAM.MSG.GET." + stream, json::object{{"seq", number}});
  if (!got && got.error().code == Code::kNotFound) return false;
  if (!got) return std::unexpected(got.error());
  return true;
}

Status JetStream::purge(const std::string& stream,
                        const std::string& subject,
                        std::uint64_t below) {
  json::object question{{"filter", subject}};
  if (below > 0) question["seq"] = below;
  TRY(ask("STREAM.PURGE." + stream, question));
  return {};
}

Result<ConsumerState> JetStream::mend(const std::string& stream, const std::string& durable) {
  TRY_ASSIGN(const ConsumerState state, consumer_state(stream, durable));
  if (state.out == 0 || state.redelivered == 0) return state;
  TRY(acknowledge_what_is_gone(stream, durable, state));
  return consumer_state(stream, durable);
}

std::optional<Delivery> JetStream::next_or_mend(const std::string& stream,
                                                const std::string& durable) {
  auto delivery = next(stream, durable);
  if (delivery) return *std::move(delivery);
  (void)mend(stream, durable).has_value();
  return std::nullopt;
}

// One server alone has no leaders, and says so.
void JetStream::change_leaders(const std::string& stream, const std::string& durable) {
  (void)ask("STREAM.LEADER.STEPDOWN." + stream, json::object()).has_value();
  (void)ask("CONSUMER.LEADER.STEPDOWN." + stream + "." + durable, json::object()).has_value();
}

Status JetStream::remove_what_is_past(const std::string& stream,
                                      const std::string& subject,
                                      const ConsumerState& consumer) {
  const Result<Stored> first = get(stream, subject, 1);
  if (!first && first.error().code == Code::kNotFound) return {};
  if (!first) return std::unexpected(first.error());
  if (first->number > consumer.acknowledged) return {};
  return purge(stream, subject, consumer.acknowledged + 1);
}

// An acknowledgement names the number in the stream, and the number of the delivery, which the node
// knows better; as the zeroth it moves no floor. One of what is not out changes nothing, but for
// the message, which goes: so only numbers are named that the stream has no message of.
Status JetStream::acknowledge_what_is_gone(const std::string& stream,
                                           const std::string& durable,
                                           const ConsumerState& state) {
  TRY_ASSIGN(const json::value answer,
             ask("STREAM.INFO." + stream, json::object{{"deleted_details", true}}));
  const json::value* const whole = member(answer, "state");
  if (whole == nullptr) return fail(Code::kUnavailable, "JetStream: no state");
  const auto acknowledge = [&](std::uint64_t number) {
    return connection_.publish(
        "$JS.ACK." + stream + "." + durable + ".1." + std::to_string(number) + ".0.0.0", "+ACK");
  };
  const std::uint64_t first = number_in(*whole, "first_seq");
  for (std::uint64_t i = state.acknowledged + 1; i < first && i <= state.delivered; ++i) {
    TRY(acknowledge(i));
  }
  const json::value* const gone = member(*whole, "deleted");
  if (gone != nullptr && gone->is_array()) {
    for (const json::value& each : gone->get_array()) {
      const std::uint64_t number = number_of(&each);
      if (number > state.acknowledged && number <= state.delivered) TRY(acknowledge(number));
    }
  }
  return connection_.flush(kPatience);
}

}  // namespace belljar::fleet
