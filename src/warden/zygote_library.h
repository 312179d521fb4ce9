// The shared object that turns an interpreter into a zygote, as bytes: src/zygote, embedded.
#pragma once

#include <string_view>

namespace belljar::warden {

std::string_view zygote_library();

}  // namespace belljar::warden
