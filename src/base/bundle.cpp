#include "base/bundle.h"

#include <cstring>

namespace belljar {
namespace {

template <typename T>
void append_value(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);  // layout is the format
}

template <typename T>
bool take_value(std::string_view& bytes, T& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return true;
}

}  // namespace

void append_file(std::string& out, const BundleFile& file) {
  append_value(out, BundleFileHeader{
                        .flags = file.executable ? kBundleExecutable : 0,
                        .path_bytes = static_cast<std::uint32_t>(file.path.size()),
                        .content_bytes = file.content.size(),
                    });
  out.append(file.path);
  out.append(file.content);
}

void append_end(std::string& out, bool more) {
  append_value(out, BundleEnd{.flags = more ? kBundleMore : 0});
}

Result<Bundle> parse_bundle(std::string_view bytes) {
  Bundle bundle;
  while (true) {
    std::uint32_t magic = 0;
    if (bytes.size() < sizeof magic) return fail(Code::kInvalid, "bundle: ends too early");
    std::memcpy(&magic, bytes.data(), sizeof magic);
    if (magic == kBundleEndMagic) {
      BundleEnd end;
      if (!take_value(bytes, end)) return fail(Code::kInvalid, "bundle: ends too early");
      if (!bytes.empty()) return fail(Code::kInvalid, "bundle: bytes after the end");
      bundle.more = (end.flags & kBundleMore) != 0;
      return bundle;
    }
    BundleFileHeader header;
    if (magic != kBundleFileMagic || !take_value(bytes, header)) {
      return fail(Code::kInvalid, "bundle: bad file header");
    }
    if (header.path_bytes > bytes.size() ||
        header.content_bytes > bytes.size() - header.path_bytes) {
      return fail(Code::kInvalid, "bundle: a file is longer than the bundle");
    }
    bundle.files.push_back({.path = bytes.substr(0, header.path_bytes),
                            .content = bytes.substr(header.path_bytes, header.content_bytes),
                            .executable = (header.flags & kBundleExecutable) != 0});
    bytes.remove_prefix(header.path_bytes + header.content_bytes);
  }
}

}  // namespace belljar
