// Problem: an error as RFC 9457 writes it, application/problem+json.
#pragma once

#include <string>
#include <string_view>

#include "api/http.h"
#include "base/result.h"

namespace belljar::api {

// 400 for kInvalid, 403 kDenied, 404 kNotFound, 409 kConflict, 429 kExhausted, 503 kUnavailable,
// 500 kInternal.
// The detail names the field and the limit; for an internal error it says only that there was one.
Response problem(const Error& error);
Response problem(unsigned status, std::string_view title, std::string_view detail);
// For a path that speaks WebSocket, to a request that does not.
Response upgrade_required();
// With Retry-After, in whole seconds, at least one.
Response retry_later(unsigned status, std::string_view detail, Nanoseconds wait);
// The same as problem(), and for kExhausted with a Retry-After: of what there may be room for soon.
Response refusal(const Error& error);

}  // namespace belljar::api
