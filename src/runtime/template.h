// Template: one argument of a manifest's argv, taken apart into text and the names in braces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belljar::runtime {

enum class Slot : std::uint8_t {
  kText,      // as it stands
  kTool,      // {tool} and {tool:NAME}
  kEntry,     // {entry}
  kStem,      // {stem}
  kDir,       // {dir}
  kSources,   // {sources}: many arguments
  kArgs,      // {args}: many arguments
  kMemoryMb,  // {memory_mb}
  kCpus,      // {cpus}
  kLinker,    // {linker}: an argument, or none
  kHeader,    // {header}
  kOutput,    // {output}
};

struct Piece {
  Slot slot = Slot::kText;
  std::string text;  // kText: the text; kTool: the program's name

  bool operator==(const Piece&) const = default;
};

// kInvalid names what is no template. {sources}, {args} and {linker} must stand
// alone.
Result<std::vector<Piece>> parse_template(std::string_view argument);

// Whether any argument uses the slot. Arguments that do not parse use none.
bool uses(const std::vector<std::string>& argv, Slot slot);

}  // namespace belljar::runtime
