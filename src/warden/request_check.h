// What a client's message is, before anything is done about it. Pure: a fuzzer drives it.
#pragma once

#include <string_view>

#include "base/result.h"
#include "warden/protocol.h"

namespace belljar::warden {

// kInvalid says what is wrong with the message. A kind that is not known is the server's to refuse:
// its answer names the cell.
Result<Request> read_request(std::string_view bytes);

// How many descriptors a kRun comes with.
std::size_t run_descriptors(const Request& request);

}  // namespace belljar::warden
