#include "api/problem.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

unsigned status_of(Code code) {
  switch (code) {
    case Code::kInvalid:
      return 400;
    case Code::kDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kConflict:
      return 409;
    case Code::kExhausted:
      return 429;
    case Code::kUnavailable:
      return 503;
    case Code::kInternal:
      return 500;
  }
  return 500;
}

std::string_view title_of(unsigned status) {
  switch (status) {
    case 400:
      return "The request is not valid";
    case 403:
      return "Not allowed";
    case 404:
      return "Not found";
    case 409:
      return "Conflict";
    case 429:
      return "Too many requests";
    case 503:
      return "Not available now";
    default:
      return "Internal error";
  }
}

// "limits.memory: …" is about limits.memory.
std::string_view field_of(std::string_view message) {
  const std::size_t colon = message.find(": ");
  if (colon == std::string_view::npos) return {};
  const std::string_view field = message.substr(0, colon);
  return field.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.[]") ==
                 std::string_view::npos
             ? field
             : std::string_view();
}

}  // namespace

Response problem(const Error& error) {
  const unsigned status = status_of(error.code);
  // What went wrong inside may name paths of the host, and is of no use to a client.
  const std::string_view detail =
      status == 500
          ? std::string_view("something failed inside; the log has it by this request's id")
          : std::string_view(error.message);
  Response response = problem(status, title_of(status), detail);
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

Response problem(unsigned status, std::string_view title, std::string_view detail) {
  boost::json::object object{{"type", "about:blank"},
                             {"title", title},
                             {"status", status},
                             {"detail", repair_utf8(detail)}};
  if (const std::string_view field = field_of(detail); !field.empty()) object["field"] = field;
  Response response;
  response.status = status;
  response.type = "application/problem+json";
  response.body = json_text(object);
  return response;
}

Response upgrade_required() {
  Response response = problem(426, "Upgrade required", "this path speaks WebSocket");
  response.headers.emplace_back("Upgrade", "websocket");
  return response;
}

Response retry_later(unsigned status, std::string_view detail, Nanoseconds wait) {
  Response response = problem(status, title_of(status), detail);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  response.headers.emplace_back("Retry-After", std::to_string(std::max<long>(seconds, 1)));
  return response;
}

Response refusal(const Error& error) {
  if (error.code != Code::kExhausted) return problem(error);
  return retry_later(429, error.message, std::chrono::seconds(1));
}

}  // namespace belljar::api
