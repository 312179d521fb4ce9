// pysandbox's executor: POST {"code": base64(marshal.dumps(code object))}.
#include <boost/json.hpp>

#include "api/dialects/answer.h"
#include "api/json_reader.h"
#include "api/service.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

// Bytecode is hostile by nature: it is read only in here, inside the cell.
constexpr std::string_view kDriver = R"(import marshal, os, sys, types
with open("/box/code.bin", "rb") as file:
    data = file.read()
try:
    code = marshal.loads(data)
    if not isinstance(code, types.CodeType):
        raise TypeError("not a code object")
except (EOFError, ValueError, TypeError):
    print("belljar: the code cannot be read", file=sys.stderr, flush=True)
    os._exit(65)
del data
exec(code, {"__name__": "__main__", "__builtins__": __builtins__})
)";
constexpr int kUnreadable = 65;
// With the exit code alone, a program that ends with 65 would be taken for one that was not read.
constexpr std::string_view kUnreadableWords = "belljar: the code cannot be read\n";

Response result(unsigned status, json::value value) {
  Response response{.status = status};
  response.body = json_text(json::object{{"result", std::move(value)}});
  return response;
}

// A code object as marshal writes it begins so: TYPE_CODE, with or without the reference flag.
bool looks_like_code(std::string_view bytes) {
  return !bytes.empty() && (static_cast<unsigned char>(bytes.front()) & 0x7f) == 'c';
}

Response unreadable(std::string_view bytes) {
  Response response = result(400, "FAIL");
  if (looks_like_code(bytes)) {
    response.body = json_text(
        json::object{{"result", "FAIL"},
                     {"msg",
                      "the code object was not made by the version of CPython that runs it; see "
                      "GET /v1/languages for what that is"}});
  }
  return response;
}

}  // namespace

void Service::pysandbox(const Context& context, const Reply& reply) {
  const auto value = parse_json(context.request.body);
  const auto code = value ? text_member(*value, "code") : std::nullopt;
  if (!code) return reply(result(400, "FAIL"));
  const auto bytes = base64_decode(*code);
  if (!bytes) return reply(result(400, "FAIL"));

  RunRequest request = python_program(std::string(kDriver));
  request.screening = "none";  // its client screens the source; bytecode has none
  request.submission.files.push_back({.path = "code.bin", .content = *bytes});
  const auto submitted = runs_.submit(context.caller, std::move(request), dialect_options());
  if (!submitted) return reply(result(500, "FAIL"));
  const std::shared_ptr<LiveRun> live = submitted->live;
  live->on_end([live, reply, bytes = *bytes] {
    const auto outcome = read_outcome(*live);
    if (!outcome) return reply(result(500, "FAIL"));
    if (outcome->status == RunStatus::kOk) {
      return reply(result(200, json::object{{"out", outcome->out}, {"err", outcome->err}}));
    }
    if (outcome->exit_code == kUnreadable && outcome->err == kUnreadableWords)
      return reply(unreadable(bytes));
    reply(result(500, "FAIL"));
  });
}

}  // namespace belljar::api
