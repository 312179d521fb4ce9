#include "fleet/messages.h"

#include <array>
#include <boost/json.hpp>
#include <utility>

#include "base/text.h"
#include "fleet/connection.h"
#include "fleet/message_members.h"
#include "model/outcome_reader.h"

namespace belljar::fleet {
namespace {

namespace json = boost::json;
using fleet::members_of;
using fleet::read;

constexpr std::string_view kReference = "{\"object\":";

// Each member's value is what `to` has under its name.
template <typename Map>
Status read_map(const Members& from, std::string_view name, Map& to) {
  TRY_ASSIGN(const Members map, from.object(name));
  for (const auto& each : from.find(name)->get_object()) {
    TRY(map.read(each.key(), to[std::string(each.key())]));
  }
  return {};
}

json::object members_of(const Submission& submission) {
  return {{"language", submission.language},
          {"files", members_of(submission.files)},
          {"entry", base64_encode(submission.entry)},
          {"args", coded(submission.args)},
          {"env", coded(submission.env)},
          {"limits", members_of(submission.limits)},
          {"artifacts", coded(submission.artifacts)}};
}

Status read(const Members& from, std::string_view name, Submission& to) {
  TRY_ASSIGN(const Members submission, from.object(name));
  TRY(submission.read("language", to.language));
  TRY(read(submission, "files", to.files));
  TRY(submission.read_bytes("entry", to.entry));
  TRY(read_coded(submission, "args", to.args));
  TRY(read_coded(submission, "env", to.env));
  TRY(read(submission, "limits", to.limits));
  TRY(read_coded(submission, "artifacts", to.artifacts));
  return check_submission(to);
}

constexpr std::array<std::string_view, 6> kKinds{"begun", "busy", "stage", "out", "err", "taken"};
constexpr std::array<std::string_view, 3> kReads{"bytes", "pipe", "terminal"};
constexpr std::array<std::string_view, 3> kFrames{"bytes", "end", "control"};

}  // namespace

std::string to_json(const Order& order) {
  return json::serialize(json::object{{"run", order.run},
                                      {"gateway", order.gateway},
                                      {"caller", order.caller},
                                      {"language", order.language},
                                      {"policy", order.policy},
                                      {"submission", members_of(order.submission)},
                                      {"input", base64_encode(order.input)},
                                      {"reads", name_in(kReads, order.reads)},
                                      {"unpack", order.unpack},
                                      {"memory", order.memory},
                                      {"cpus_milli", order.cpus_milli},
                                      {"expires_ms", order.expires_ms},
                                      {"streamed", order.streamed}});
}

namespace {

Result<Order> order_in(const Members& from) {
  Order to;
  TRY(from.read("run", to.run));
  TRY(from.read("gateway", to.gateway));
  TRY(from.read("caller", to.caller));
  TRY(from.read("language", to.language));
  TRY(from.read("policy", to.policy));
  TRY(read(from, "submission", to.submission));
  TRY(from.read_bytes("input", to.input));
  TRY(read_in(kReads, from, "reads", to.reads));
  TRY(from.read("unpack", to.unpack));
  TRY(from.read("memory", to.memory));
  TRY(from.read("cpus_milli", to.cpus_milli));
  TRY(from.read("expires_ms", to.expires_ms));
  TRY(from.read("streamed", to.streamed));
  return to;
}

}  // namespace

Result<Order> read_order(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  return order_in(from);
}

std::string parcel_of(const Parcel::Past& past, std::string_view order) {
  return "{\"deaths\":" + std::to_string(past.deaths) +
         ",\"attempts\":" + std::to_string(past.attempts) + ",\"order\":" + std::string(order) +
         "}";
}

std::string parcel_of_object(const Parcel::Past& past, std::string_view object) {
  return json::serialize(
      json::object{{"deaths", past.deaths}, {"attempts", past.attempts}, {"object", object}});
}

Result<Parcel> read_parcel(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  Parcel to;
  TRY(from.read("deaths", to.past.deaths));
  TRY(from.read("attempts", to.past.attempts));
  if (from.find("object") != nullptr) {
    TRY(from.read("object", to.object));
    return to;
  }
  TRY_ASSIGN(const Members order, from.object("order"));
  TRY_ASSIGN(to.order, order_in(order));
  return to;
}

std::string to_json(const End& end) {
  const json::object head{{"run", end.run},
                          {"started", end.started},
                          {"began_us_ago", end.began_us_ago},
                          {"attempt", end.attempt}};
  std::string text = json::serialize(head);
  text.pop_back();
  if (!end.outcome) {
    return text + ",\"error\":" + json::serialize(members_of(end.outcome.error())) + "}";
  }
  return text + ",\"artifacts\":" + json::serialize(members_of(end.outcome->artifacts)) +
         ",\"outcome\":" + to_json(*end.outcome, Base64::kAlways) + "}";
}

Result<End> read_end(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  End to;
  TRY(from.read("run", to.run));
  TRY(from.read("started", to.started));
  TRY(from.read("began_us_ago", to.began_us_ago));
  TRY(from.read("attempt", to.attempt));
  if (from.find("error") != nullptr) {
    Error error;
    TRY(read(from, "error", error));
    to.outcome = std::unexpected(std::move(error));
    return to;
  }
  const json::value* const outcome = from.find("outcome");
  if (outcome == nullptr) return wrong_member("outcome");
  if (!to.started) return wrong_member("started");  // what was not begun has no outcome
  TRY_ASSIGN(to.outcome, read_outcome(*outcome));
  TRY(read(from, "artifacts", to.outcome->artifacts));
  return to;
}

std::string to_json(const Happening& happening) {
  json::object object{{"kind", name_in(kKinds, happening.kind)}};
  switch (happening.kind) {
    case Happening::Kind::kBegun:
      object["attempt"] = happening.attempt;
      break;
    case Happening::Kind::kBusy:
      break;
    case Happening::Kind::kTaken:
      object["frames"] = happening.frames;
      object["written"] = happening.written;
      break;
    case Happening::Kind::kStage:
      object["stage"] = to_string(happening.stage);
      break;
    case Happening::Kind::kOut:
    case Happening::Kind::kErr:
      object["bytes"] = base64_encode(happening.bytes);
      break;
  }
  return json::serialize(object);
}

Result<Happening> read_happening(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  Happening to;
  TRY(read_in(kKinds, from, "kind", to.kind));
  switch (to.kind) {
    case Happening::Kind::kBegun:
      TRY(from.read("attempt", to.attempt));
      break;
    case Happening::Kind::kBusy:
      break;
    case Happening::Kind::kTaken:
      TRY(from.read("frames", to.frames));
      TRY(from.read("written", to.written));
      break;
    case Happening::Kind::kStage:
      TRY(from.read_name("stage", StageKind::kRun, to.stage));
      break;
    case Happening::Kind::kOut:
    case Happening::Kind::kErr:
      TRY(from.read_bytes("bytes", to.bytes));
      break;
  }
  return to;
}

namespace {

json::object members_of(const engine::InputControl& control) {
  return {{"kind", static_cast<std::uint32_t>(control.kind)},
          {"signal", control.signal},
          {"rows", control.rows},
          {"columns", control.columns}};
}

Result<engine::InputControl> control_in(const Members& from) {
  engine::InputControl to;
  std::uint32_t kind = 0;
  TRY(from.read("kind", kind));
  if (kind > static_cast<std::uint32_t>(engine::InputControl::Kind::kResize)) {
    return wrong_member("kind");
  }
  to.kind = static_cast<engine::InputControl::Kind>(kind);
  TRY(from.read("signal", to.signal));
  TRY(from.read("rows", to.rows));
  TRY(from.read("columns", to.columns));
  return to;
}

}  // namespace

std::string to_json(const engine::InputControl& control) {
  return json::serialize(members_of(control));
}

Result<engine::InputControl> read_control(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  return control_in(from);
}

std::string to_json(const InputFrame& frame) {
  json::object object{{"number", frame.number}, {"frame", name_in(kFrames, frame.kind)}};
  if (frame.kind == InputFrame::Kind::kBytes) object["bytes"] = base64_encode(frame.bytes);
  if (frame.kind == InputFrame::Kind::kControl) object["control"] = members_of(frame.control);
  return json::serialize(object);
}

Result<InputFrame> read_input_frame(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  InputFrame to;
  TRY(from.read("number", to.number));
  TRY(read_in(kFrames, from, "frame", to.kind));
  if (to.kind == InputFrame::Kind::kBytes) TRY(from.read_bytes("bytes", to.bytes));
  if (to.kind != InputFrame::Kind::kControl) return to;
  TRY_ASSIGN(const Members control, from.object("control"));
  TRY_ASSIGN(to.control, control_in(control));
  return to;
}

std::string to_json(const WorkerState& state) {
  return json::serialize(json::object{{"id", state.id},
                                      {"pool", state.pool},
                                      {"kernel", repair_utf8(state.kernel)},
                                      {"languages", json::value_from(state.languages)},
                                      {"labels", json::value_from(state.labels)},
                                      {"capacity", state.capacity},
                                      {"running", state.running},
                                      {"waiting", state.waiting},
                                      {"draining", state.draining}});
}

Result<WorkerState> read_worker_state(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  WorkerState to;
  TRY(from.read("id", to.id));
  TRY(from.read("pool", to.pool));
  if (!is_word(to.pool)) return wrong_member("pool");  // it will be in subjects
  TRY(from.read("kernel", to.kernel));
  TRY(from.read("languages", to.languages));
  TRY(read_map(from, "labels", to.labels));
  TRY(check_labels(to.labels));
  const auto read_count = [&from](std::string_view name, std::uint64_t& count) -> Status {
    constexpr std::uint64_t kMostAtOnce = 1'000'000;
    TRY(from.read(name, count));
    if (count > kMostAtOnce) return wrong_member(name);
    return {};
  };
  TRY(read_count("capacity", to.capacity));
  TRY(read_count("running", to.running));
  // A worker of an earlier version keeps none waiting.
  if (from.find("waiting") != nullptr) TRY(read_count("waiting", to.waiting));
  TRY(from.read("draining", to.draining));
  return to;
}

std::string to_json(const GatewayState& state) {
  json::array callers;
  for (const GatewayState::Caller& each : state.callers) {
    callers.push_back({{"id", each.id}, {"waiting", each.waiting}, {"running", each.running}});
  }
  return json::serialize(json::object{{"id", state.id},
                                      {"callers", std::move(callers)},
                                      {"let_in", json::value_from(state.let_in)},
                                      {"oldest_ms", state.oldest_ms},
                                      {"redelivered", state.redelivered}});
}

Result<GatewayState> read_gateway_state(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  GatewayState to;
  TRY(from.read("id", to.id));
  TRY_ASSIGN(const json::array* const callers, from.list("callers"));
  for (const json::value& each : *callers) {
    TRY_ASSIGN(const Members caller, Members::of(&each, "callers"));
    GatewayState::Caller& made = to.callers.emplace_back();
    TRY(caller.read("id", made.id));
    TRY(caller.read("waiting", made.waiting));
    TRY(caller.read("running", made.running));
  }
  TRY(read_map(from, "let_in", to.let_in));
  TRY(from.read("oldest_ms", to.oldest_ms));
  TRY(from.read("redelivered", to.redelivered));
  return to;
}

std::string to_json(const std::vector<std::string>& runs) {
  return json::serialize(json::object{{"runs", json::value_from(runs)}});
}

Result<std::vector<std::string>> read_runs(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  std::vector<std::string> runs;
  TRY(from.read("runs", runs));
  return runs;
}

std::string reference_to(const std::string& object) {
  return json::serialize(json::object{{"object", object}});
}

std::optional<std::string> referred_object(std::string_view text) {
  if (!text.starts_with(kReference)) return std::nullopt;
  const auto parsed = Parsed::of(text);
  std::string name;
  if (!parsed || !parsed->members().read("object", name)) return std::nullopt;
  return name;
}

}  // namespace belljar::fleet
