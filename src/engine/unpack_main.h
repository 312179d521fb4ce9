// The role `belljar unpack`: reads an archive on stdin and writes a bundle on stdout. Always inside
// a cell: the archive and the library that parses it are not trusted.
#pragma once

namespace belljar::engine {

// 0, or 1 with the reason on stderr; then stdout is to be thrown away.
int unpack_main();

}  // namespace belljar::engine
