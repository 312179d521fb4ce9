#include "engine/guard.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.h"
#include "engine/session_driver.h"

namespace belljar::engine {
namespace {

// #embed is of C23 and C++26; this compiler has it in C++23 as an extension.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
constexpr char kNameKeeper[] = {
#embed "../../runtimes/guards/namekeeper.py"
};
#pragma clang diagnostic pop

constexpr std::string_view kBox = "/box/";

}  // namespace

Status apply_guard(const Policy& policy, const Submission& submission, Plan& plan) {
  const std::string& entry = plan.stages.entry;
  const bool marshalled = entry.ends_with(kMarshalled);
  const Guard guard = policy.python_guard;
  if (plan.manifest.guard != "python" || (guard == Guard::kNone && !marshalled)) return {};
  // Beside the entry: its folder is where Python looks for modules.
  const std::string path = entry.substr(0, entry.rfind('/') + 1) + std::string(kGuardName);
  if (std::ranges::find(submission.files, path, &File::path) != submission.files.end()) {
    return fail(Code::kInvalid, "files: the name " + quote(path) + " is of Belljar's own");
  }
  const std::string file = std::string(kBox) + path;
  const std::string how(to_string(guard));
  std::vector<std::string>& argv = plan.stages.run.argv;
  // A session of another language has a word for it.
  if (entry == kSessionDriverPath && !submission.args.empty()) return {};
  if (entry == kSessionDriverPath) {
    argv.insert(argv.end(), {file, how});
  } else {
    const auto script = std::ranges::find(argv, std::string(kBox) + entry);
    if (script == argv.end()) {
      return fail(Code::kInvalid, "guard: the runtime does not name its script by itself");
    }
    argv.insert(script, {file, how});
  }
  plan.files.push_back(
      {.path = path, .content = std::string(kNameKeeper, sizeof kNameKeeper), .executable = false});
  return {};
}

}  // namespace belljar::engine
