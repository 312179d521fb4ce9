// What a gateway and a session's driver say to each other over the driver's stdin, a stream socket:
// frames of a length, 4 bytes little-endian, and so many bytes of JSON. The driver shares its cell
// with hostile code, so nothing that it says is believed further than that it is well-formed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace belljar::engine {

inline constexpr std::size_t kMaxFrameToDriver = 16 * kMiB;
inline constexpr std::size_t kMaxFrameFromDriver = 8 * kMiB;

struct SessionFile {
  std::string path;
  std::uint64_t bytes = 0;
  std::string mime;
};

// One frame of a driver.
struct DriverFrame {
  enum class Kind : std::uint8_t {
    kReady,
    kResult,  // `json`: {"main", "data", "metadata"}
    kError,   // `json`: {"name", "value", "traceback"}
    kDone,
  };
  Kind kind{};
  std::uint64_t id = 0;  // of the request; 0 for kReady
  std::string json;
  std::string version;  // kReady
  // kDone:
  std::string status;  // "ok", "error", "interrupted", "exited" or "died"
  std::string reason;
  std::optional<int> exit_code;
  std::string signal;
  std::uint64_t count = 0;
  std::vector<SessionFile> files;
};

// Total over any bytes; kInvalid says what is wrong with them.
Result<DriverFrame> read_driver_frame(std::string_view json);

// A request as the bytes that go over the socket.
// `env`: "NAME=value", for this execution only. `marshalled`: the code is the base64 of a code
// object as Python's marshal writes it.
std::string execute_frame(std::uint64_t id,
                          std::string_view context,
                          std::string_view code,
                          std::span<const std::string> env = {},
                          bool marshalled = false);
// `op`: "create_context", "restart_context" or "remove_context". `cwd`, of one that is created:
// where its code begins; empty: where the session's does.
std::string context_frame(std::uint64_t id,
                          std::string_view op,
                          std::string_view context,
                          std::string_view cwd = {});

// Frames out of bytes as they come.
class FrameReader {
 public:
  void put(std::string_view bytes) { held_.append(bytes); }
  // The next whole frame's JSON, or nothing yet. kInvalid for a length that no frame has.
  Result<std::optional<std::string>> next();

 private:
  std::string held_;
};

}  // namespace belljar::engine
