// safe-code-executor: POST /run {"code"}.
#include <boost/json.hpp>

#include "api/dialects/answer.h"
#include "api/json_reader.h"
#include "api/service.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

Response answer(unsigned http,
                std::string_view status,
                std::string_view output,
                std::string_view error) {
  Response response{.status = http};
  response.body = json_text(json::object{{"status", status}, {"output", output}, {"error", error}});
  return response;
}

std::string_view word_for(RunStatus status) {
  switch (status) {
    case RunStatus::kOk:
      return "ok";
    case RunStatus::kTimeout:
      return "timeout";
    case RunStatus::kRejected:
      return "rejected";
    default:
      return "runtime_error";
  }
}

}  // namespace

void Service::safe_code_executor(const Context& context, const Reply& reply) {
  const auto value = parse_json(context.request.body);
  if (!value) return reply(answer(400, "rejected", "", value.error().message));
  const auto code = text_member(*value, "code");
  if (!code) return reply(answer(400, "rejected", "", "code: must be a string"));
  RunRequest request = python_program(*code);
  request.policy = "safe-code-executor";
  request.screening = "none";
  const auto submitted = runs_.submit(context.caller, std::move(request), dialect_options());
  if (!submitted) {
    const bool busy = submitted.error().code == Code::kExhausted;
    return reply(answer(busy ? 503 : 400, "rejected", "", submitted.error().message));
  }
  const std::shared_ptr<LiveRun> live = submitted->live;
  live->on_end([live, reply] {
    const auto outcome = read_outcome(*live);
    if (!outcome) {
      const auto error = live->error();
      return reply(answer(503, "rejected", "", error ? error->message : "the run was lost"));
    }
    const bool said = outcome->status == RunStatus::kOk || !outcome->err.empty();
    reply(answer(200, word_for(outcome->status), outcome->out,
                 said ? outcome->err : outcome->reason));
  });
}

}  // namespace belljar::api
