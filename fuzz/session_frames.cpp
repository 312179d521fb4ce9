// What a session's driver sends: any bytes, in any pieces, give frames or an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "engine/session_protocol.h"

namespace {

using belljar::engine::FrameReader;

// The frames of the bytes in pieces of `step`; the text of the last entry tells of an error.
std::vector<std::string> frames(std::string_view bytes, std::size_t step) {
  std::vector<std::string> found;
  FrameReader reader;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    reader.put(bytes.substr(at, step));
    for (;;) {
      const auto frame = reader.next();
      if (!frame) {
        found.push_back("error: " + frame.error().message);
        return found;
      }
      if (!*frame) break;
      found.push_back(**frame);
    }
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = frames(bytes, size + 1);
  if (frames(bytes, 1) != whole) std::abort();
  for (const std::string& json : whole) {
    const auto frame = belljar::engine::read_driver_frame(json);
    if (!frame && frame.error().message.empty()) std::abort();
  }
  return 0;
}
