// What several handlers read of a request besides its body.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/http.h"
#include "base/result.h"
#include "ledger/store.h"

namespace belljar::api {

// Whether a parameter of the query is set: "", "1" or "true".
bool asked(const Request& request, std::string_view name);
// The number of the last event a client has, from the header or, as browsers cannot set it on the
// first request, the query; 0 where neither is there.
Result<std::uint64_t> last_event(const Request& request);
// What a list of what the ledger has is asked for.
struct ListWish {
  std::optional<ledger::State> state;
  std::string cursor;
  int limit = 50;
};
Result<ListWish> list_wish(const Request& request);
// kInvalid for another one than JSON; none is taken for JSON.
Status check_media_type(const Request& request);
// Its body, which must be JSON and say so, or say nothing.
Result<boost::json::value> json_body(const Request& request);

// The fields of a request have other names than the command line's options.
Error in_request_words(Error error);

}  // namespace belljar::api
