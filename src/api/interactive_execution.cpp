#include "api/interactive_execution.h"

#include "api/session_request.h"

namespace belljar::api {

Status InteractiveExecution::start(JsonReader& reader) {
  const boost::json::value* const execution = reader.find("execution");
  if (execution == nullptr) return reader.wrong("execution", "an object");
  TRY(reader.finish());
  auto request = read_execution_request(*execution);
  if (!request) return std::unexpected(request.error().context("execution"));
  TRY_ASSIGN(const Submitted submitted,
             sessions_.execute(caller_, session_, *std::move(request), {}));
  begun(submitted.live);
  return {};
}

Status InteractiveExecution::handle(std::string_view type, JsonReader& reader, LiveRun& live) {
  if (type != "interrupt") return fail(Code::kInvalid, "type: must be start or interrupt");
  TRY(reader.finish());
  return sessions_.interrupt(caller_, session_, live);
}

void InteractiveExecution::leave(LiveRun* live) {
  if (live != nullptr) sessions_.abandon(caller_, session_, *live);
}

}  // namespace belljar::api
