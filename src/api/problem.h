// Problem: an error as RFC 9457 writes it, application/problem+json.
#pragma once

#include <string>
#include <string_view>

#include "api/http.h"
#include "base/result.h"

namespace belljar::api {

// 400 for kInvalid, 403 kDenied, 404 kNotFound, 429 kExhausted, 503 kUnavailable, 500 kInternal.
// The detail names the field and the limit; for an internal error it says only that there was one.
Response problem(const Error& error);
Response problem(unsigned status, std::string_view title, std::string_view detail);
// With Retry-After, in whole seconds, at least one.
Response retry_later(unsigned status, std::string_view detail, Nanoseconds wait);

}  // namespace belljar::api
