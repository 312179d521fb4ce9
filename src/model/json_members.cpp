#include "model/json_members.h"

#include <boost/json.hpp>
#include <cmath>

#include "base/text.h"

namespace belljar {

namespace json = boost::json;

std::unexpected<Error> wrong_member(std::string_view name) {
  return fail(Code::kInvalid, std::string(name) + " is missing or of another kind");
}

Result<Members> Members::of(const json::value* value, std::string_view name) {
  if (value == nullptr || !value->is_object()) return wrong_member(name);
  return Members(value->get_object());
}

Status Members::read(std::string_view name, std::string& to) const {
  const json::value* const value = find(name);
  if (value == nullptr || !value->is_string()) return wrong_member(name);
  to = std::string(value->get_string());
  return {};
}

Status Members::read(std::string_view name, bool& to) const {
  const json::value* const value = find(name);
  if (value == nullptr || !value->is_bool()) return wrong_member(name);
  to = value->get_bool();
  return {};
}

Status Members::read(std::string_view name, std::uint64_t& to) const {
  const json::value* const value = find(name);
  if (value == nullptr) return wrong_member(name);
  if (value->is_uint64()) {
    to = value->get_uint64();
  } else if (value->is_int64() && value->get_int64() >= 0) {
    to = static_cast<std::uint64_t>(value->get_int64());
  } else {
    return wrong_member(name);
  }
  return {};
}

Status Members::read(std::string_view name, std::int64_t& to) const {
  const json::value* const value = find(name);
  if (value == nullptr || !value->is_int64()) return wrong_member(name);
  to = value->get_int64();
  return {};
}

Status Members::read(std::string_view name, std::vector<std::string>& to) const {
  TRY_ASSIGN(const json::array* const texts, list(name));
  for (const json::value& each : *texts) {
    if (!each.is_string()) return wrong_member(name);
    to.emplace_back(each.get_string());
  }
  return {};
}

Status Members::read_bytes(std::string_view name, std::string& to) const {
  std::string coded;
  TRY(read(name, coded));
  auto bytes = base64_decode(coded);
  if (!bytes) return wrong_member(name);
  to = *std::move(bytes);
  return {};
}

Status Members::read_ns(std::string_view name, Nanoseconds& to) const {
  std::int64_t count = 0;
  TRY(read(name, count));
  to = Nanoseconds(count);
  return {};
}

Status Members::read_ms(std::string_view name, Nanoseconds& to) const {
  TRY_ASSIGN(const double ms, real(name));
  constexpr double kMost = 9.2e12;  // what nanoseconds of 64 bits hold
  if (!(ms >= 0 && ms < kMost)) return wrong_member(name);
  to = std::chrono::microseconds(std::llround(ms * 1e3));
  return {};
}

Result<double> Members::real(std::string_view name) const {
  const json::value* const value = find(name);
  if (value == nullptr || !value->is_number()) return wrong_member(name);
  boost::system::error_code error;
  const auto number = value->to_number<double>(error);
  if (error || !std::isfinite(number)) return wrong_member(name);
  return number;
}

Result<const json::array*> Members::list(std::string_view name) const {
  const json::value* const value = find(name);
  if (value == nullptr || !value->is_array()) return wrong_member(name);
  return &value->get_array();
}

}  // namespace belljar
