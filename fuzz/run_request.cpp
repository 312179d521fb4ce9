// The JSON of POST /v1/runs: any bytes give a request or an error, and a request survives its way
// through the ledger.
#include "api/run_request.h"

#include <cstdint>
#include <cstdlib>

#include "api/json_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belljar;
  const auto value = api::parse_json({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  auto request = api::read_run_request(*value, "");
  if (!request) {
    if (request.error().message.empty()) std::abort();
    return 0;
  }
  // What the service does with a source: its language says what the file is called.
  File& first = request->submission.files.front();
  if (first.path.empty()) first.path = "main";
  const std::string text = api::to_json(*request);
  const auto stored = api::parse_json(text);
  if (!stored) std::abort();
  const auto again = api::read_run_request(*stored, "");
  if (!again || api::to_json(*again) != text) std::abort();
  return 0;
}
