// The role `belljar unpack`: reads an archive on stdin and writes a bundle on stdout. Always inside
// a cell: the archive and the library that parses it are not trusted.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace belljar::engine {

// An archive's bytes to a bundle (base/bundle.h); at most `most` bytes of content in all.
Result<std::string> unpack_archive(std::string_view bytes, std::size_t most = 48 * kMiB);

// 0, or 1 with the reason on stderr; then stdout is to be thrown away.
int unpack_main();

}  // namespace belljar::engine
