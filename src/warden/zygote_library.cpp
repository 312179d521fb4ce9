#include "warden/zygote_library.h"

// BELLJAR_ZYGOTE_LIBRARY is the path of the built library, given by the build.
asm(".section .rodata\n"
    ".globl belljar_zygote_begin\n"
    ".globl belljar_zygote_end\n"
    "belljar_zygote_begin:\n"
    ".incbin \"" BELLJAR_ZYGOTE_LIBRARY
    "\"\n"
    "belljar_zygote_end:\n"
    ".previous\n");

extern "C" {
extern const char kZygoteBegin[] asm("belljar_zygote_begin");
extern const char kZygoteEnd[] asm("belljar_zygote_end");
}

namespace belljar::warden {

std::string_view zygote_library() {
  return {kZygoteBegin, static_cast<std::size_t>(kZygoteEnd - kZygoteBegin)};
}

}  // namespace belljar::warden
