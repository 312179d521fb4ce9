// The files of the playground, which `./dev build` makes from web/ and which are part of the
// program.
#include "api/pages.h"

namespace belljar::api {
namespace {

// #embed is of C23 and C++26; this compiler has it in C++23 as an extension.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
#include "generated/playground.inc"
#pragma clang diagnostic pop

}  // namespace

std::span<const PlaygroundFile> playground_files() {
  return kPlaygroundFiles;
}

}  // namespace belljar::api
