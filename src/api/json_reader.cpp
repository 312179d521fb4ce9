#include "api/json_reader.h"

#include <boost/json/basic_parser_impl.hpp>
#include <set>

#include "base/text.h"

namespace belljar::api {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxDepth = 32;

// Boost keeps the last of two members with one name. Which of them another reader of the same text
// would take nobody knows, so neither is taken: this sees the names as they come.
struct NameChecker {
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  std::vector<std::set<std::string, std::less<>>> names = {};
  std::string key = {};
  std::string twice = {};

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    names.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    names.pop_back();
    return true;
  }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t, json::error_code&) { return true; }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    key += part;
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code& error) {
    key += part;
    const bool fresh = names.back().insert(key).second;
    if (!fresh) {
      twice = key;
      error = json::error::syntax;
    }
    key.clear();
    return fresh;
  }
  bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, json::error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return true; }
  bool on_double(double, json::string_view, json::error_code&) { return true; }
  bool on_bool(bool, json::error_code&) { return true; }
  bool on_null(json::error_code&) { return true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }
};

}  // namespace

Result<json::value> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::basic_parser<NameChecker> names(options);
  json::error_code error;
  const std::size_t read = names.write_some(false, text.data(), text.size(), error);
  if (!names.handler().twice.empty()) {
    return fail(Code::kInvalid, "body: the name " + quote(names.handler().twice) + " stands twice");
  }
  if (error) {
    return fail(Code::kInvalid,
                "body: not JSON at byte " + std::to_string(read) + ": " + error.message());
  }
  if (read != text.size()) {
    return fail(Code::kInvalid, "body: something follows the JSON at byte " + std::to_string(read));
  }
  json::value value = json::parse(text, error, {}, options);
  if (error) return fail(Code::kInvalid, "body: not JSON: " + error.message());
  return value;
}

Result<JsonReader> JsonReader::of(const json::value& value, std::string path) {
  if (const json::object* const object = value.if_object()) {
    return JsonReader(*object, std::move(path));
  }
  return fail(Code::kInvalid, (path.empty() ? "body" : path) + ": must be an object");
}

std::string JsonReader::where(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

std::unexpected<Error> JsonReader::wrong(std::string_view name, std::string_view wanted) const {
  return fail(Code::kInvalid, where(name) + ": must be " + std::string(wanted));
}

const json::value* JsonReader::find(std::string_view name) {
  const auto at = object_.find(name);
  if (at == object_.end()) return nullptr;
  seen_[static_cast<std::size_t>(at - object_.begin())] = true;
  return at->value().is_null() ? nullptr : &at->value();
}

Result<std::optional<std::string>> JsonReader::text(std::string_view name) {
  const json::value* const value = find(name);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return wrong(name, "a string");
  return std::string(value->get_string());
}

Result<std::string> JsonReader::text_or(std::string_view name, std::string_view fallback) {
  TRY_ASSIGN(const std::optional<std::string> value, text(name));
  return value.value_or(std::string(fallback));
}

Result<std::optional<bool>> JsonReader::flag(std::string_view name) {
  const json::value* const value = find(name);
  if (value == nullptr) return std::optional<bool>();
  if (!value->is_bool()) return wrong(name, "true or false");
  return value->get_bool();
}

Result<std::optional<std::uint64_t>> JsonReader::count(std::string_view name) {
  const json::value* const value = find(name);
  if (value == nullptr) return std::optional<std::uint64_t>();
  json::error_code error;
  const auto number = value->to_number<std::uint64_t>(error);
  if (error || value->is_double()) return wrong(name, "a whole number from 0");
  return number;
}

Result<std::vector<std::string>> JsonReader::texts(std::string_view name) {
  std::vector<std::string> list;
  const json::value* const value = find(name);
  if (value == nullptr) return list;
  if (!value->is_array()) return wrong(name, "an array of strings");
  for (const json::value& each : value->get_array()) {
    if (!each.is_string()) return wrong(name, "an array of strings");
    list.emplace_back(each.get_string());
  }
  return list;
}

Status JsonReader::finish() const {
  std::size_t index = 0;
  for (const auto& member : object_) {
    if (!seen_[index++]) {
      return fail(Code::kInvalid, where(cut_utf8(member.key(), 100)) + ": unknown field");
    }
  }
  return {};
}

}  // namespace belljar::api
