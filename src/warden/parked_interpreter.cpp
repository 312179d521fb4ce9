#include "warden/parked_interpreter.h"

#include <string>
#include <string_view>
#include <vector>

// The paths are given by the build.
#define BELLJAR_EMBED(name, path)                                                             \
  asm(".section .rodata\n.globl belljar_" #name "_begin\n.globl belljar_" #name               \
      "_end\n"                                                                                \
      "belljar_" #name "_begin:\n.incbin \"" path "\"\nbelljar_" #name "_end:\n.previous\n"); \
  extern "C" const char name##_begin[] asm("belljar_" #name "_begin");                        \
  extern "C" const char name##_end[] asm("belljar_" #name "_end")

BELLJAR_EMBED(node_library, BELLJAR_NODE_LIBRARY);
BELLJAR_EMBED(node_script, BELLJAR_NODE_SCRIPT);
BELLJAR_EMBED(java_launcher, BELLJAR_JAVA_LAUNCHER);
BELLJAR_EMBED(java_rehearsal, BELLJAR_JAVA_REHEARSAL);

namespace belljar::warden {
namespace {

std::string between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

using Words = std::vector<std::string>;

Words joined(Words first, const Words& rest) {
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

// Node comes to its first script only after those that are required ahead; the name of that script
// is not looked at before, and comes with the run. Named in a variable, what is required is among
// no words that a program could see or that a worker thread would have. What Node looks for where
// it begins is not to be looked for, and remembered, in a box that is still empty.
cell::Warmth node_warmth(const cell::CellSpec& spec) {
  return {
      .devices = {},
      .waiting_file = spec.interpreter.front(),
      .waiting_folder = "/",
      .waiting_argv = {spec.interpreter.front(), "/box/main.js"},
      .waiting_env = joined(spec.interpreter_env, {"NODE_OPTIONS=-r /etc/belljar/node.js"}),
      .files = {
          {.path = "etc/belljar/node.so", .content = between(node_library_begin, node_library_end)},
          {.path = "etc/belljar/node.js", .content = between(node_script_begin, node_script_end)}}};
}

// The stock launchers make a machine for one program and nothing else; this one waits in between.
cell::Warmth java_warmth(const cell::CellSpec& spec, bool compiles) {
  cell::Warmth warmth{.devices = {},
                      .waiting_file = "/etc/belljar/java",
                      .waiting_folder = "/box",
                      .waiting_argv = joined({compiles ? "javac" : "java"}, spec.interpreter),
                      .waiting_env = spec.interpreter_env,
                      .files = {{.path = "etc/belljar/java",
                                 .content = between(java_launcher_begin, java_launcher_end),
                                 .executable = true}}};
  if (compiles) {
    warmth.files.push_back({.path = "etc/belljar/Rehearsal.java",
                            .content = between(java_rehearsal_begin, java_rehearsal_end)});
  }
  return warmth;
}

}  // namespace

// What is in /etc a program may read but not write.
cell::Warmth parked_warmth(const cell::CellSpec& spec) {
  if (spec.interpreter.empty()) return {};
  switch (spec.interpreter_kind) {
    case InterpreterKind::kCpython:
      return {};
    case InterpreterKind::kNode:
      return node_warmth(spec);
    case InterpreterKind::kJava:
      return java_warmth(spec, false);
    case InterpreterKind::kJavac:
      return java_warmth(spec, true);
  }
  return {};
}

}  // namespace belljar::warden
