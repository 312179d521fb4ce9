// What an execution says while it is under way, onto its list of events.
#pragma once

#include <string>

#include "api/live_run.h"
#include "base/text.h"

namespace belljar::api {

inline void add_start(LiveRun& live) {
  live.add("status", R"({"state":"running"})");
}

// `text`: a JSON object, see engine::DriverFrame.
inline void add_result(LiveRun& live, const std::string& text) {
  live.add("result", escape_json_for_terminal(text));
}

}  // namespace belljar::api
