#include "warden/request_check.h"

#include <cstring>

namespace belljar::warden {

Result<Request> read_request(std::string_view bytes) {
  Request request;
  if (bytes.size() != sizeof request) return fail(Code::kInvalid, "request: wrong size");
  std::memcpy(&request, bytes.data(), sizeof request);
  if (request.magic != kMagic) return fail(Code::kInvalid, "request: wrong magic");
  return request;
}

std::size_t run_descriptors(const Request& request) {
  return 4 + (request.with_artifacts != 0 ? 1U : 0U) + (request.with_program != 0 ? 1U : 0U);
}

}  // namespace belljar::warden
