// What a file's name says about what is in it, and nothing more than that.
#pragma once

#include <string_view>

namespace belljar::api {

// By the ending of the last component; "application/octet-stream" where that says nothing. The
// session drivers say the same of the files that an execution has changed.
std::string_view media_type_of(std::string_view path);

}  // namespace belljar::api
