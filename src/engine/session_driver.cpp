#include "engine/session_driver.h"

#include "base/text.h"

namespace belljar::engine {
namespace {

// #embed is of C23 and C++26; this compiler has it in C++23 as an extension.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
constexpr char kPython[] = {
#embed "../../runtimes/sessions/python.py"
};
#pragma clang diagnostic pop

}  // namespace

Result<std::string_view> session_driver(std::string_view name) {
  if (name == "python") return std::string_view(kPython, sizeof kPython);
  return fail(Code::kInvalid, "there is no session driver " + quote(name));
}

}  // namespace belljar::engine
