// What a gateway asks of a paused session's init about the files in /box, and what init answers, in
// a form that freestanding code can include.
//
// The request is a sealed memfd: FileRequest, the path, and for kWrite the content. The answer goes
// to a pipe: FileAnswer and a bundle (base/bundle_format.h) of what was asked for: for kRead the
// file, for kList each file with a FileState as its content, else nothing. Where the bundle has no
// end there is no answer.
#pragma once

#include <cstdint>

namespace belljar::cell {

enum class FileOperation : std::uint32_t {
  kList = 1,  // the regular files below /box; `most` of them
  kRead,      // one regular file of at most `most` bytes
  kWrite,     // makes it or takes its place; folders on the way are made
  kRemove,    // a file, a link as such, or a folder without anything in it
};

struct FileRequest {
  FileOperation operation{};
  std::uint32_t path_bytes = 0;
  std::uint64_t most = 0;
  std::uint64_t content_bytes = 0;
};

struct FileAnswer {
  std::int32_t error = 0;  // errno; EFBIG: over `most`; EMEDIUMTYPE: neither a file nor a folder
  std::uint32_t reserved = 0;
  std::uint64_t bytes = 0;  // of the file, for EFBIG
};

struct FileState {
  std::uint64_t bytes = 0;
  std::int64_t modified_seconds = 0;
  std::uint64_t modified_nanoseconds = 0;
};

}  // namespace belljar::cell
