// What a client sends to the service's port, through the parser and the limits that the server has
// (smaller ones, so that short inputs reach them). The first two bytes say in which pieces it
// comes: however it is cut, the same requests and the same refusal come out.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/request_parser.h"
#include "base/check.h"
#include "base/text.h"

namespace {

using namespace belljar;

constexpr api::RequestLimits kLimits{.max_header = 512, .max_body = 1024, .max_framing = 256};

std::string text_of(const api::Request& request) {
  std::string text = request.method + " " + request.path;
  for (const auto& [name, value] : request.query) text += "\n?" + name + "=" + value;
  for (const auto& [name, value] : request.headers) text += "\n" + name + ": " + value;
  return text + (request.upgrade ? "\nupgrade\n" : "\n") + request.body;
}

void check(const api::Request& request) {
  CHECK(request.body.size() <= kLimits.max_body);
  CHECK(request.path.starts_with('/'));
  CHECK(request.path.find('\0') == std::string::npos);
  std::size_t hosts = 0, lengths = 0, codings = 0, bytes = 0;
  for (const auto& [name, value] : request.headers) {
    bytes += name.size() + value.size();
    CHECK(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    CHECK(name == ascii_lower(name) && !name.empty());
    hosts += name == "host" ? 1 : 0;
    lengths += name == "content-length" ? 1 : 0;
    codings += name == "transfer-encoding" ? 1 : 0;
  }
  CHECK(bytes <= kLimits.max_header);
  CHECK(hosts <= 1 && lengths + codings <= 1);
}

// As the server reads a connection: what a parser leaves belongs to what comes next.
std::vector<std::string> listen(std::string_view bytes, std::size_t first, std::size_t piece) {
  std::vector<std::string> heard;
  std::string buffer;
  std::size_t want = first;
  while (true) {
    api::RequestParser parser(kLimits);
    bool waiting = buffer.empty();
    while (!parser.is_done()) {
      if (waiting) {
        if (bytes.empty()) return heard;
        const std::size_t size = std::min(std::max<std::size_t>(want, 1), bytes.size());
        buffer += bytes.substr(0, size);
        bytes.remove_prefix(size);
        want = piece;
      }
      const bool had_header = parser.has_header();
      const auto used = parser.put(buffer);
      if (!used) {
        CHECK(used.error().status >= 400 && used.error().status < 500);
        CHECK(!used.error().detail.empty());
        return heard;
      }
      CHECK(*used <= buffer.size());
      buffer.erase(0, *used);
      // What is held back is a line that has no end yet.
      CHECK(parser.is_done() || buffer.size() <= kLimits.max_header + kLimits.max_framing + 64 ||
            (!had_header && parser.has_header()));
      waiting = had_header || !parser.has_header() || buffer.empty();
    }
    const bool keep = parser.keep_alive();
    const api::Request request = parser.take();
    check(request);
    heard.push_back(text_of(request));
    if (!keep) return heard;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  CHECK(listen(bytes, bytes.size(), 1) == listen(bytes, data[0], data[1]));
  return 0;
}
