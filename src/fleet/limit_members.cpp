#include "fleet/limit_members.h"

namespace belljar::fleet {

boost::json::object limit_members(const LimitOverrides& limits) {
  boost::json::object object;
  for (const LimitField& field : limit_fields()) {
    if (field.wanted_duration != nullptr) {
      if (const auto& wanted = limits.*field.wanted_duration) object[field.name] = wanted->count();
    } else if (const auto& wanted = limits.*field.wanted_number) {
      object[field.name] = *wanted;
    }
  }
  return object;
}

Status read_limits(const Members& from, LimitOverrides& to) {
  for (const LimitField& field : limit_fields()) {
    if (from.find(field.name) == nullptr) continue;
    if (field.wanted_duration != nullptr) {
      TRY(from.read_ns(field.name, (to.*field.wanted_duration).emplace()));
    } else {
      TRY(from.read(field.name, (to.*field.wanted_number).emplace()));
    }
  }
  return {};
}

}  // namespace belljar::fleet
