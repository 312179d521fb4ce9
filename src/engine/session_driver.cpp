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
constexpr char kNode[] = {
#embed "../../runtimes/sessions/node.js"
};
#pragma clang diagnostic pop

}  // namespace

Result<SessionDriver> session_driver(std::string_view name) {
  const std::string_view driver(kPython, sizeof kPython);
  if (name == "python") return SessionDriver{.text = driver, .beside = {}, .word = {}};
  if (name == "bash") return SessionDriver{.text = driver, .beside = {}, .word = "bash"};
  if (name == "node") {
    return SessionDriver{
        .text = driver, .beside = std::string_view(kNode, sizeof kNode), .word = "node"};
  }
  return fail(Code::kInvalid, "there is no session driver " + quote(name));
}

}  // namespace belljar::engine
