#include "fleet/messages.h"

#include <array>
#include <boost/json.hpp>
#include <utility>

#include "base/text.h"
#include "fleet/limit_members.h"
#include "model/outcome_reader.h"

namespace belljar::fleet {
namespace {

namespace json = boost::json;

constexpr std::string_view kReference = "{\"object\":";

std::unexpected<Error> wrong(std::string_view name) {
  return fail(Code::kInvalid,
              "message of the fleet: " + std::string(name) + " is not as it must be");
}

Result<json::object> parse(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error || !value.is_object()) return wrong("it");
  return std::move(value.get_object());
}

Status read(const json::object& from, std::string_view name, std::string& to) {
  const json::value* const value = from.if_contains(name);
  if (value == nullptr || !value->is_string()) return wrong(name);
  to = std::string(value->get_string());
  return {};
}

// Bytes that need not be text.
Status read_bytes(const json::object& from, std::string_view name, std::string& to) {
  std::string coded;
  TRY(read(from, name, coded));
  auto bytes = base64_decode(coded);
  if (!bytes) return wrong(name);
  to = *std::move(bytes);
  return {};
}

template <typename Number>
  requires(std::is_integral_v<Number> && !std::is_same_v<Number, bool>)
Status read(const json::object& from, std::string_view name, Number& to) {
  const json::value* const value = from.if_contains(name);
  if (value != nullptr && value->is_int64() && std::in_range<Number>(value->get_int64())) {
    to = static_cast<Number>(value->get_int64());
    return {};
  }
  if (value != nullptr && value->is_uint64() && std::in_range<Number>(value->get_uint64())) {
    to = static_cast<Number>(value->get_uint64());
    return {};
  }
  return wrong(name);
}

Status read(const json::object& from, std::string_view name, bool& to) {
  const json::value* const value = from.if_contains(name);
  if (value == nullptr || !value->is_bool()) return wrong(name);
  to = value->get_bool();
  return {};
}

Result<const json::array*> list_in(const json::object& from, std::string_view name) {
  const json::value* const value = from.if_contains(name);
  if (value == nullptr || !value->is_array()) return wrong(name);
  return &value->get_array();
}

Status read_texts(const json::object& from, std::string_view name, std::vector<std::string>& to) {
  TRY_ASSIGN(const json::array* const list, list_in(from, name));
  for (const json::value& each : *list) {
    if (!each.is_string()) return wrong(name);
    to.emplace_back(each.get_string());
  }
  return {};
}

Status read_labels(const json::object& from, std::string_view name, Labels& to) {
  const json::value* const value = from.if_contains(name);
  if (value == nullptr || !value->is_object()) return wrong(name);
  for (const auto& each : value->get_object()) {
    TRY(read(value->get_object(), each.key(), to[std::string(each.key())]));
  }
  return check_labels(to);
}

json::array coded(const std::vector<std::string>& texts) {
  json::array list;
  for (const std::string& each : texts) list.emplace_back(base64_encode(each));
  return list;
}

Status read_coded(const json::object& from, std::string_view name, std::vector<std::string>& to) {
  TRY(read_texts(from, name, to));
  for (std::string& each : to) {
    auto bytes = base64_decode(each);
    if (!bytes) return wrong(name);
    each = *std::move(bytes);
  }
  return {};
}

json::array to_value(const std::vector<File>& files) {
  json::array list;
  for (const File& each : files) {
    list.push_back({{"path", base64_encode(each.path)},
                    {"content", base64_encode(each.content)},
                    {"executable", each.executable}});
  }
  return list;
}

Status read(const json::object& from, std::string_view name, std::vector<File>& to) {
  TRY_ASSIGN(const json::array* const list, list_in(from, name));
  for (const json::value& each : *list) {
    if (!each.is_object()) return wrong(name);
    File& file = to.emplace_back();
    TRY(read_bytes(each.get_object(), "path", file.path));
    TRY(read_bytes(each.get_object(), "content", file.content));
    TRY(read(each.get_object(), "executable", file.executable));
  }
  return {};
}

json::object to_value(const Submission& submission) {
  return {{"language", submission.language},
          {"files", to_value(submission.files)},
          {"entry", base64_encode(submission.entry)},
          {"args", coded(submission.args)},
          {"env", coded(submission.env)},
          {"limits", limit_members(submission.limits)},
          {"artifacts", coded(submission.artifacts)}};
}

Status read(const json::object& from, std::string_view name, Submission& to) {
  const json::value* const value = from.if_contains(name);
  if (value == nullptr || !value->is_object()) return wrong(name);
  const json::object& object = value->get_object();
  TRY(read(object, "language", to.language));
  TRY(read(object, "files", to.files));
  TRY(read_bytes(object, "entry", to.entry));
  TRY(read_coded(object, "args", to.args));
  TRY(read_coded(object, "env", to.env));
  TRY_ASSIGN(const Members limits, Members::of(object.if_contains("limits"), "limits"));
  TRY(read_limits(limits, to.limits));
  TRY(read_coded(object, "artifacts", to.artifacts));
  return check_submission(to);
}

constexpr std::array<std::string_view, 6> kKinds{"begun", "busy", "stage", "out", "err", "taken"};
constexpr std::array<std::string_view, 3> kReads{"bytes", "pipe", "terminal"};
constexpr std::array<std::string_view, 3> kFrames{"bytes", "end", "control"};
constexpr std::array<std::string_view, 7> kCodes{
    "invalid", "denied", "not_found", "conflict", "exhausted", "unavailable", "internal"};

template <std::size_t N>
Result<std::size_t> index_in(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name) return i;
  return wrong(name);
}

}  // namespace

std::string to_json(const Order& order) {
  return json::serialize(json::object{{"run", order.run},
                                      {"gateway", order.gateway},
                                      {"caller", order.caller},
                                      {"language", order.language},
                                      {"policy", order.policy},
                                      {"submission", to_value(order.submission)},
                                      {"input", base64_encode(order.input)},
                                      {"reads", kReads.at(static_cast<std::size_t>(order.reads))},
                                      {"unpack", order.unpack},
                                      {"memory", order.memory},
                                      {"cpus_milli", order.cpus_milli},
                                      {"expires_ms", order.expires_ms},
                                      {"streamed", order.streamed}});
}

namespace {

Result<Order> order_in(const json::object& from) {
  Order to;
  TRY(read(from, "run", to.run));
  TRY(read(from, "gateway", to.gateway));
  TRY(read(from, "caller", to.caller));
  TRY(read(from, "language", to.language));
  TRY(read(from, "policy", to.policy));
  TRY(read(from, "submission", to.submission));
  TRY(read_bytes(from, "input", to.input));
  std::string reads;
  TRY(read(from, "reads", reads));
  TRY_ASSIGN(const std::size_t index, index_in(kReads, reads));
  to.reads = static_cast<Order::Reads>(index);
  TRY(read(from, "unpack", to.unpack));
  TRY(read(from, "memory", to.memory));
  TRY(read(from, "cpus_milli", to.cpus_milli));
  TRY(read(from, "expires_ms", to.expires_ms));
  TRY(read(from, "streamed", to.streamed));
  return to;
}

}  // namespace

Result<Order> read_order(std::string_view text) {
  TRY_ASSIGN(const json::object from, parse(text));
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
  TRY_ASSIGN(const json::object from, parse(text));
  Parcel to;
  TRY(read(from, "deaths", to.past.deaths));
  TRY(read(from, "attempts", to.past.attempts));
  if (from.contains("object")) {
    TRY(read(from, "object", to.object));
    return to;
  }
  const json::value* const order = from.if_contains("order");
  if (order == nullptr || !order->is_object()) return wrong("order");
  TRY_ASSIGN(to.order, order_in(order->get_object()));
  return to;
}

std::string to_json(const End& end) {
  const json::object head{{"run", end.run},
                          {"worker", end.worker},
                          {"started", end.started},
                          {"began_us_ago", end.began_us_ago},
                          {"attempt", end.attempt}};
  std::string text = json::serialize(head);
  text.pop_back();
  if (!end.outcome) {
    const json::object error{
        {"code", kCodes.at(static_cast<std::size_t>(end.outcome.error().code))},
        {"message", repair_utf8(end.outcome.error().message)}};
    return text + ",\"error\":" + json::serialize(error) + "}";
  }
  return text + ",\"artifacts\":" + json::serialize(to_value(end.outcome->artifacts)) +
         ",\"outcome\":" + to_json(*end.outcome, Base64::kAlways) + "}";
}

Result<End> read_end(std::string_view text) {
  TRY_ASSIGN(const json::object from, parse(text));
  End to;
  TRY(read(from, "run", to.run));
  TRY(read(from, "worker", to.worker));
  TRY(read(from, "started", to.started));
  TRY(read(from, "began_us_ago", to.began_us_ago));
  TRY(read(from, "attempt", to.attempt));
  if (const json::value* const error = from.if_contains("error")) {
    if (!error->is_object()) return wrong("error");
    std::string code;
    std::string message;
    TRY(read(error->get_object(), "code", code));
    TRY(read(error->get_object(), "message", message));
    TRY_ASSIGN(const std::size_t index, index_in(kCodes, code));
    to.outcome = fail(static_cast<Code>(index), message);
    return to;
  }
  const json::value* const outcome = from.if_contains("outcome");
  if (outcome == nullptr) return wrong("outcome");
  TRY_ASSIGN(to.outcome, read_outcome(*outcome));
  TRY(read(from, "artifacts", to.outcome->artifacts));
  return to;
}

std::string to_json(const Happening& happening) {
  json::object object{{"kind", kKinds.at(static_cast<std::size_t>(happening.kind))}};
  switch (happening.kind) {
    case Happening::Kind::kBegun:
      object["attempt"] = happening.attempt;
      [[fallthrough]];
    case Happening::Kind::kBusy:
      object["worker"] = happening.worker;
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
  TRY_ASSIGN(const json::object from, parse(text));
  std::string kind;
  TRY(read(from, "kind", kind));
  TRY_ASSIGN(const std::size_t index, index_in(kKinds, kind));
  Happening to{.kind = static_cast<Happening::Kind>(index)};
  switch (to.kind) {
    case Happening::Kind::kBegun:
      TRY(read(from, "attempt", to.attempt));
      [[fallthrough]];
    case Happening::Kind::kBusy:
      TRY(read(from, "worker", to.worker));
      break;
    case Happening::Kind::kTaken:
      TRY(read(from, "frames", to.frames));
      TRY(read(from, "written", to.written));
      break;
    case Happening::Kind::kStage: {
      std::string stage;
      TRY(read(from, "stage", stage));
      to.stage = stage == to_string(StageKind::kCompile) ? StageKind::kCompile : StageKind::kRun;
      break;
    }
    case Happening::Kind::kOut:
    case Happening::Kind::kErr:
      TRY(read_bytes(from, "bytes", to.bytes));
      break;
  }
  return to;
}

namespace {

json::object to_value(const engine::InputControl& control) {
  return {{"kind", static_cast<std::uint32_t>(control.kind)},
          {"signal", control.signal},
          {"rows", control.rows},
          {"columns", control.columns}};
}

Result<engine::InputControl> control_in(const json::object& from) {
  engine::InputControl to;
  std::uint32_t kind = 0;
  TRY(read(from, "kind", kind));
  if (kind > static_cast<std::uint32_t>(engine::InputControl::Kind::kResize)) return wrong("kind");
  to.kind = static_cast<engine::InputControl::Kind>(kind);
  TRY(read(from, "signal", to.signal));
  TRY(read(from, "rows", to.rows));
  TRY(read(from, "columns", to.columns));
  return to;
}

}  // namespace

std::string to_json(const engine::InputControl& control) {
  return json::serialize(to_value(control));
}

Result<engine::InputControl> read_control(std::string_view text) {
  TRY_ASSIGN(const json::object from, parse(text));
  return control_in(from);
}

std::string to_json(const InputFrame& frame) {
  json::object object{{"number", frame.number},
                      {"frame", kFrames.at(static_cast<std::size_t>(frame.kind))}};
  if (frame.kind == InputFrame::Kind::kBytes) object["bytes"] = base64_encode(frame.bytes);
  if (frame.kind == InputFrame::Kind::kControl) object["control"] = to_value(frame.control);
  return json::serialize(object);
}

Result<InputFrame> read_input_frame(std::string_view text) {
  TRY_ASSIGN(const json::object from, parse(text));
  InputFrame to;
  TRY(read(from, "number", to.number));
  std::string kind;
  TRY(read(from, "frame", kind));
  TRY_ASSIGN(const std::size_t index, index_in(kFrames, kind));
  to.kind = static_cast<InputFrame::Kind>(index);
  if (to.kind == InputFrame::Kind::kBytes) TRY(read_bytes(from, "bytes", to.bytes));
  if (to.kind != InputFrame::Kind::kControl) return to;
  const json::value* const control = from.if_contains("control");
  if (control == nullptr || !control->is_object()) return wrong("control");
  TRY_ASSIGN(to.control, control_in(control->get_object()));
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
                                      {"draining", state.draining}});
}

Result<WorkerState> read_worker_state(std::string_view text) {
  TRY_ASSIGN(const json::object from, parse(text));
  WorkerState to;
  TRY(read(from, "id", to.id));
  TRY(read(from, "pool", to.pool));
  TRY(read(from, "kernel", to.kernel));
  TRY(read_texts(from, "languages", to.languages));
  TRY(read_labels(from, "labels", to.labels));
  TRY(read(from, "capacity", to.capacity));
  TRY(read(from, "running", to.running));
  TRY(read(from, "draining", to.draining));
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
  TRY_ASSIGN(const json::object from, parse(text));
  GatewayState to;
  TRY(read(from, "id", to.id));
  TRY_ASSIGN(const json::array* const callers, list_in(from, "callers"));
  for (const json::value& each : *callers) {
    if (!each.is_object()) return wrong("callers");
    GatewayState::Caller& caller = to.callers.emplace_back();
    TRY(read(each.get_object(), "id", caller.id));
    TRY(read(each.get_object(), "waiting", caller.waiting));
    TRY(read(each.get_object(), "running", caller.running));
  }
  const json::value* const let_in = from.if_contains("let_in");
  if (let_in == nullptr || !let_in->is_object()) return wrong("let_in");
  for (const auto& each : let_in->get_object()) {
    TRY(read(let_in->get_object(), each.key(), to.let_in[std::string(each.key())]));
  }
  TRY(read(from, "oldest_ms", to.oldest_ms));
  TRY(read(from, "redelivered", to.redelivered));
  return to;
}

std::string to_json(const std::vector<std::string>& runs) {
  return json::serialize(json::object{{"runs", json::value_from(runs)}});
}

Result<std::vector<std::string>> read_runs(std::string_view text) {
  TRY_ASSIGN(const json::object from, parse(text));
  std::vector<std::string> runs;
  TRY(read_texts(from, "runs", runs));
  return runs;
}

std::string reference_to(const std::string& object) {
  return json::serialize(json::object{{"object", object}});
}

std::optional<std::string> referred_object(std::string_view text) {
  if (!text.starts_with(kReference)) return std::nullopt;
  const auto from = parse(text);
  std::string name;
  if (!from || !read(*from, "object", name)) return std::nullopt;
  return name;
}

}  // namespace belljar::fleet
