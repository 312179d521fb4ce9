#include "cell/init_image.h"

// BELLJAR_INIT_IMAGE is the path of the built program, given by the build.
asm(".section .rodata\n"
    ".globl belljar_init_begin\n"
    ".globl belljar_init_end\n"
    "belljar_init_begin:\n"
    ".incbin \"" BELLJAR_INIT_IMAGE
    "\"\n"
    "belljar_init_end:\n"
    ".previous\n");

extern "C" {
extern const char kInitBegin[] asm("belljar_init_begin");
extern const char kInitEnd[] asm("belljar_init_end");
}

namespace belljar::cell {

std::string_view init_image() {
  return {kInitBegin, static_cast<std::size_t>(kInitEnd - kInitBegin)};
}

}  // namespace belljar::cell
