#include "api/followed_run.h"

#include <boost/json.hpp>

#include "model/json_text.h"

namespace belljar::api {

void add_stage(LiveRun& live, StageKind stage) {
  live.add("status",
           json_text(boost::json::object{{"state", "running"}, {"stage", to_string(stage)}}));
}

bool add_output(LiveRun& live,
                StageKind stage,
                engine::OutputStream stream,
                std::string_view bytes) {
  if (stage != StageKind::kRun) return false;
  live.add_output(stream, bytes);
  return true;
}

}  // namespace belljar::api
