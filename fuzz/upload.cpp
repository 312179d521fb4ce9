// The body of an upload: the first line of the input is the content type, the rest the body.
#include "api/upload.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belljar;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return 0;
  api::Request request{.method = "POST", .path = "/v1/runs"};
  request.headers.emplace_back("content-type", text.substr(0, end));
  request.body = text.substr(end + 1);
  const auto upload = api::read_upload(request);
  // What comes out was in there.
  if (upload && *upload && request.body.find((*upload)->archive) == std::string::npos) std::abort();
  return 0;
}
