#include "app/log.h"

#include <unistd.h>

#include <boost/json/serialize.hpp>

#include "base/id.h"
#include "model/json_text.h"

namespace belljar::app {

void log_event(std::string_view event, boost::json::object facts) {
  boost::json::object line{{"time", format_time(unix_ms())}, {"event", event}};
  for (const auto& fact : facts) line[fact.key()] = fact.value();
  const std::string text = json_text(line) + "\n";
  [[maybe_unused]] const ssize_t done = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace belljar::app
