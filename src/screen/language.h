// The languages that can be screened.
#pragma once

#include <tree_sitter/api.h>

#include <span>
#include <string_view>

#include "screen/source.h"

namespace belljar::screen {

struct Language {
  std::string_view name;  // a runtime's, see runtimes/*.toml
  Dialect dialect;
  std::span<const std::string_view> extensions;  // of what an import or a compiler may pick up
  const TSLanguage* (*grammar)();
};

std::span<const Language> languages();
const Language* find_language(std::string_view name);  // nullptr: there is no grammar for it

}  // namespace belljar::screen
