// The warden's door as a client that has been taken over would knock at it: a message, and the
// memfd that comes with it, through what the server does with them before it makes anything.
// One byte says how many descriptors come and whether the memfd is sealed, then the message, then
// what the memfd holds.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/sys.h"
#include "cell/spec.h"
#include "warden/mapped_spec.h"
#include "warden/request_check.h"

namespace {

using namespace belljar;

Fd memfd(std::string_view content, bool sealed) {
  if (sealed) {
    auto file = sys::sealed_memfd("fuzz", content);
    CHECK(file.has_value());
    return *std::move(file);
  }
  Fd file = Fd::adopt(::memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK(file.valid() && sys::write_all(file.get(), content).has_value());
  return file;
}

void start(const warden::Request& request, std::size_t descriptors, const Fd& file, bool sealed) {
  if (descriptors != warden::run_descriptors(request)) return;
  const auto mapped = warden::MappedSpec::open(file);
  if (!mapped) return;
  CHECK(sealed);
  const auto decoded = cell::decode(mapped->bytes());
  if (!decoded) return;
  const auto files = parse_bundle(decoded->bundle);
  if (!files || !cell::check_spec(decoded->spec, *files, highest_limits())) return;
  CHECK(check_within(decoded->spec.limits, highest_limits()).has_value());
  CHECK(decoded->spec.argv.front().starts_with('/'));
  for (const BundleFile& each : files->files) CHECK(!each.path.starts_with('/'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  const auto how = static_cast<unsigned char>(bytes.front());
  bytes.remove_prefix(1);
  const std::size_t message = std::min(bytes.size(), sizeof(warden::Request));
  const auto request = warden::read_request(bytes.substr(0, message));
  if (!request) {
    CHECK(!request.error().message.empty());
    return 0;
  }
  if (request->kind != warden::RequestKind::kRun) return 0;
  const bool sealed = (how & 0x80) == 0;
  start(*request, how & 0x7f, memfd(bytes.substr(message), sealed), sealed);
  return 0;
}
