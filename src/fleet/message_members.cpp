#include "fleet/message_members.h"

#include <boost/json.hpp>
#include <utility>

#include "base/text.h"

namespace belljar::fleet {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 7> kCodes{
    "invalid", "denied", "not_found", "conflict", "exhausted", "unavailable", "internal"};

}  // namespace

Result<Parsed> Parsed::of(std::string_view text) {
  boost::system::error_code error;
  Parsed made;
  made.value_ = json::parse(text, error);
  if (error || !made.value_.is_object()) return wrong_member("a message of the fleet");
  return made;
}

json::array coded(const std::vector<std::string>& texts) {
  json::array list;
  for (const std::string& each : texts) list.emplace_back(base64_encode(each));
  return list;
}

Status read_coded(const Members& from, std::string_view name, std::vector<std::string>& to) {
  TRY(from.read(name, to));
  for (std::string& each : to) {
    auto bytes = base64_decode(each);
    if (!bytes) return wrong_member(name);
    each = *std::move(bytes);
  }
  return {};
}

json::array members_of(const std::vector<File>& files) {
  json::array list;
  for (const File& each : files) {
    list.push_back({{"path", base64_encode(each.path)},
                    {"content", base64_encode(each.content)},
                    {"executable", each.executable}});
  }
  return list;
}

Status read(const Members& from, std::string_view name, std::vector<File>& to) {
  TRY_ASSIGN(const json::array* const list, from.list(name));
  for (const json::value& each : *list) {
    TRY_ASSIGN(const Members file, Members::of(&each, name));
    File& made = to.emplace_back();
    TRY(file.read_bytes("path", made.path));
    TRY(file.read_bytes("content", made.content));
    TRY(file.read("executable", made.executable));
  }
  return {};
}

json::object members_of(const LimitOverrides& limits) {
  json::object object;
  for (const LimitField& field : limit_fields()) {
    if (field.wanted_duration != nullptr) {
      if (const auto& wanted = limits.*field.wanted_duration) object[field.name] = wanted->count();
    } else if (const auto& wanted = limits.*field.wanted_number) {
      object[field.name] = *wanted;
    }
  }
  return object;
}

Status read(const Members& from, std::string_view name, LimitOverrides& to) {
  TRY_ASSIGN(const Members limits, from.object(name));
  for (const LimitField& field : limit_fields()) {
    if (limits.find(field.name) == nullptr) continue;
    if (field.wanted_duration != nullptr) {
      TRY(limits.read_ns(field.name, (to.*field.wanted_duration).emplace()));
    } else {
      TRY(limits.read(field.name, (to.*field.wanted_number).emplace()));
    }
  }
  return {};
}

json::object members_of(const Error& error) {
  return {{"code", name_in(kCodes, error.code)}, {"message", repair_utf8(error.message)}};
}

Status read(const Members& from, std::string_view name, Error& to) {
  TRY_ASSIGN(const Members error, from.object(name));
  TRY(read_in(kCodes, error, "code", to.code));
  return error.read("message", to.message);
}

}  // namespace belljar::fleet
