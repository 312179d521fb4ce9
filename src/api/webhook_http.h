// The little of HTTP/1.1 that a webhook needs: one request, and the status of its answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/webhook_url.h"
#include "base/result.h"
#include "base/units.h"

namespace belljar::api {

inline constexpr std::size_t kMaxAnswerHeadBytes = 16 * kKiB;

// `headers` are whole lines, each with CR LF.
std::string webhook_request_head(const WebhookUrl& url,
                                 std::string_view headers,
                                 std::size_t body_bytes);

// The status of an answer of which `received` has come so far; nothing while it is not there yet.
// Interim answers (1xx) are passed over. kInvalid for what is no HTTP/1 or has too long a head.
Result<std::optional<unsigned>> answer_status(std::string_view received);

}  // namespace belljar::api
