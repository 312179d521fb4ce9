// Log: one JSON object a line on standard error, for machines that collect them.
#pragma once

#include <boost/json/object.hpp>
#include <string_view>

namespace belljar::app {

// Adds the time and the event's name. One write(2) a line, so that lines of several threads and
// processes stay whole.
void log_event(std::string_view event, boost::json::object facts);

}  // namespace belljar::app
