// The bytes of the cell's init, a static program that is built with Belljar and embedded in it.
#pragma once

#include <string_view>

namespace belljar::cell {

std::string_view init_image();

}  // namespace belljar::cell
