// Archives as submissions: `.zip`, `.tar`, `.tar.gz`/`.tgz`. Parsed only inside a cell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/submission.h"
#include "warden/client.h"

namespace belljar::engine {

bool looks_like_archive(std::string_view path);

// Unpacks in a cell of its own (role `belljar unpack`: archive on stdin, a base/bundle on stdout).
// A hostile or broken archive is kInvalid with the reason; nothing is kept of it.
Result<std::vector<File>> unpack(warden::Client& warden, std::string_view archive);

}  // namespace belljar::engine
