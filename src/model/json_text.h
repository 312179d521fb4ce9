// JSON as text for people as well as machines: numbers such as 12.5, which Boost writes as 1.25E1.
#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace belljar {

std::string json_text(const boost::json::value& value);

}  // namespace belljar
