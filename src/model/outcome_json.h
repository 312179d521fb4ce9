// What an outcome is made of, as values of JSON: for objects that have the same parts.
#pragma once

#include <boost/json.hpp>
#include <vector>

#include "model/outcome.h"

namespace belljar {

boost::json::object to_value(const Stream& stream, Base64 base64);
boost::json::object to_value(const Usage& usage);
boost::json::object to_value(const Events& events);
boost::json::array to_value(const std::vector<DeniedSyscall>& denied);
boost::json::object to_value(const Limits& limits);
boost::json::array to_value(WallSet walls);  // their names

}  // namespace belljar
