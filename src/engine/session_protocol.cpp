#include "engine/session_protocol.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "model/json_text.h"

namespace belljar::engine {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostFiles = 200;
constexpr std::size_t kMostText = 4 * kKiB;

std::string frame(const json::object& object) {
  const std::string text = json_text(object);
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) {
    bytes += static_cast<char>(static_cast<std::uint8_t>(text.size() >> shift));
  }
  return bytes + text;
}

// A member of its type, or what stands for an absent one; a wrong type counts as absent.
std::string text_of(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(cut_utf8(value->get_string(), kMostText));
}
std::uint64_t count_of(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0
             ? static_cast<std::uint64_t>(value->get_int64())
             : 0;
}

// JSON has no infinity; a number that is too large for a double is read as one.
bool is_finite(const json::value& value) {
  if (const double* const number = value.if_double()) return std::isfinite(*number);
  if (const json::array* const list = value.if_array())
    return std::ranges::all_of(*list, is_finite);
  const json::object* const object = value.if_object();
  return object == nullptr ||
         std::ranges::all_of(*object, [](const auto& each) { return is_finite(each.value()); });
}

Status read_done(const json::object& object, DriverFrame& made) {
  static constexpr std::array<std::string_view, 5> kStatuses{"ok", "error", "interrupted", "exited",
                                                             "died"};
  made.status = text_of(object, "status");
  if (std::ranges::find(kStatuses, made.status) == kStatuses.end()) {
    return fail(Code::kInvalid, "status: there is no such one");
  }
  made.reason = text_of(object, "reason");
  made.signal = text_of(object, "signal");
  made.count = count_of(object, "count");
  const json::value* const code = object.if_contains("exit_code");
  if (code != nullptr && code->is_int64()) {
    made.exit_code = static_cast<int>(std::clamp<std::int64_t>(code->get_int64(), 0, 255));
  }
  const json::value* const files = object.if_contains("files");
  if (files == nullptr || !files->is_array()) return {};
  for (const json::value& each : files->get_array()) {
    if (!each.is_object() || made.files.size() >= kMostFiles) continue;
    made.files.push_back({.path = text_of(each.get_object(), "path"),
                          .bytes = count_of(each.get_object(), "bytes"),
                          .mime = text_of(each.get_object(), "mime")});
  }
  return {};
}

// The named members and nothing else, so that a client sees only what the contract has.
std::string picked(const json::object& object, std::initializer_list<std::string_view> names) {
  json::object made;
  for (const std::string_view name : names) {
    if (const json::value* const value = object.if_contains(name)) made[name] = *value;
  }
  return json_text(made);
}

Result<std::string> read_result(const json::object& object) {
  const json::value* const data = object.if_contains("data");
  const json::value* const main = object.if_contains("main");
  if (data == nullptr || !data->is_object() || main == nullptr || !main->is_bool()) {
    return fail(Code::kInvalid, "result: needs data and main");
  }
  return picked(object, {"main", "data", "metadata", "omitted"});
}

Result<std::string> read_error(const json::object& object) {
  for (const std::string_view name : {"name", "value", "traceback"}) {
    const json::value* const value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) {
      return fail(Code::kInvalid, "error: needs name, value and traceback");
    }
  }
  return picked(object, {"name", "value", "traceback"});
}

}  // namespace

Result<DriverFrame> read_driver_frame(std::string_view text) {
  boost::system::error_code failed;
  json::parse_options options;
  options.max_depth = 32;
  const json::value value = json::parse(text, failed, {}, options);
  if (failed || !value.is_object()) return fail(Code::kInvalid, "a frame that is no JSON object");
  if (!is_finite(value)) return fail(Code::kInvalid, "a frame with a number that is too large");
  const json::object& object = value.get_object();
  const std::string type = text_of(object, "type");
  DriverFrame made;
  made.id = count_of(object, "id");
  if (type == "ready") {
    made.kind = DriverFrame::Kind::kReady;
    made.version = text_of(object, "version");
  } else if (type == "result") {
    made.kind = DriverFrame::Kind::kResult;
    TRY_ASSIGN(made.json, read_result(object));
  } else if (type == "error") {
    made.kind = DriverFrame::Kind::kError;
    TRY_ASSIGN(made.json, read_error(object));
  } else if (type == "done") {
    made.kind = DriverFrame::Kind::kDone;
    TRY(read_done(object, made));
  } else {
    return fail(Code::kInvalid, "a frame of an unknown type");
  }
  return made;
}

std::string execute_frame(std::uint64_t id,
                          std::string_view context,
                          std::string_view code,
                          std::span<const std::string> env,
                          bool marshalled) {
  json::object variables;
  for (const std::string& each : env) {
    const std::size_t at = each.find('=');
    if (at != std::string::npos) variables[each.substr(0, at)] = each.substr(at + 1);
  }
  json::object object{{"op", "execute"},
                      {"id", id},
                      {"context", context},
                      {"code", code},
                      {"env", std::move(variables)}};
  if (marshalled) object["marshalled"] = true;
  return frame(object);
}

std::string context_frame(std::uint64_t id,
                          std::string_view op,
                          std::string_view context,
                          std::string_view cwd) {
  json::object object{{"op", op}, {"id", id}, {"context", context}};
  if (!cwd.empty()) object["cwd"] = cwd;
  return frame(object);
}

Result<std::optional<std::string>> FrameReader::next() {
  std::array<std::uint8_t, 4> head{};
  if (held_.size() < head.size()) return std::nullopt;
  std::memcpy(head.data(), held_.data(), head.size());
  const std::size_t size = head[0] | static_cast<std::size_t>(head[1]) << 8U |
                           static_cast<std::size_t>(head[2]) << 16U |
                           static_cast<std::size_t>(head[3]) << 24U;
  if (size > kMaxFrameFromDriver) return fail(Code::kInvalid, "a frame that is too long");
  if (held_.size() < head.size() + size) return std::nullopt;
  std::string json = held_.substr(head.size(), size);
  held_.erase(0, head.size() + size);
  return json;
}

}  // namespace belljar::engine
