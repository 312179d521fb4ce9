// Completion: the option tables as scripts for shells.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/options.h"
#include "base/result.h"

namespace belljar::app {

// What a shell offers for values.
struct CompletionWords {
  std::vector<std::string> languages;
  std::vector<std::string> policies;
  std::vector<std::string> limits;  // "wall=", "memory="
  std::vector<std::string> walls;   // "FULL" among them
};

// The words for a kind of value; empty for files, directories and free text.
std::vector<std::string> words_for(Completes kind, const CompletionWords& words);

// kInvalid names the shells that there are.
Result<std::string> completion_script(std::string_view shell,
                                      std::span<const CommandSpec> commands,
                                      const CompletionWords& words);

}  // namespace belljar::app
