#include "api/request_fields.h"

#include <algorithm>

#include "api/json_reader.h"
#include "base/units.h"

namespace belljar::api {

bool asked(const Request& request, std::string_view name) {
  const auto value = request.parameter(name);
  return value && (*value == "1" || *value == "true" || value->empty());
}

Result<std::uint64_t> last_event(const Request& request) {
  auto text = request.header("last-event-id");
  if (!text) text = request.parameter("last_event_id");
  if (!text || text->empty()) return std::uint64_t{0};
  const auto number = parse_count(*text);
  if (!number) return fail(Code::kInvalid, "last-event-id: must be the number of an event");
  return *number;
}

Result<ListWish> list_wish(const Request& request) {
  ListWish wish;
  if (const auto state = request.parameter("state")) {
    wish.state = ledger::parse_state(*state);
    if (!wish.state) return fail(Code::kInvalid, "state: there is no such state");
  }
  wish.cursor = request.parameter("cursor").value_or("");
  const auto limit = request.parameter("limit");
  if (!limit) return wish;
  const auto number = parse_count(*limit);
  if (!number || *number == 0 || *number > static_cast<std::uint64_t>(ledger::kMaxPage)) {
    return fail(Code::kInvalid, "limit: must be 1 to " + std::to_string(ledger::kMaxPage));
  }
  wish.limit = static_cast<int>(*number);
  return wish;
}

Status check_media_type(const Request& request) {
  if (request.media_type().value_or("application/json") == "application/json") return {};
  return fail(Code::kInvalid, "content-type: must be application/json");
}

Result<boost::json::value> json_body(const Request& request) {
  TRY(check_media_type(request));
  return parse_json(request.body);
}

Error in_request_words(Error error) {
  const std::string& text = error.message;
  if (text.starts_with("limit ")) {
    const std::size_t end = text.find_first_of(" :", 6);
    error.message = "limits." + text.substr(6, end - 6) + ": " +
                    text.substr(std::min(text.find_first_not_of(" :", end), text.size()));
  } else if (text.starts_with("path ")) {
    error.message = "files: " + text;
  }
  return error;
}

}  // namespace belljar::api
