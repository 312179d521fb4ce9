// ManPage: the option tables as a manual page in roff(7).
#pragma once

#include <string>

namespace belljar::app {

std::string man_page();

}  // namespace belljar::app
