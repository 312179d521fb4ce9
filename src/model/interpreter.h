// InterpreterKind: what Belljar knows of an interpreter, or a compiler, that can be up before its
// program comes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace belljar {

enum class InterpreterKind : std::uint8_t {
  kCpython,  // forked from one that has imported the usual modules
  // These wait in the cell, whole.
  kNode,
  kJava,   // a virtual machine
  kJavac,  // one that has compiled before
};
inline constexpr InterpreterKind kLastInterpreterKind = InterpreterKind::kJavac;

inline constexpr std::size_t kMaxPreload = 128;  // modules that one interpreter imports ahead

}  // namespace belljar
