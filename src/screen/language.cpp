#include "screen/language.h"

#include <algorithm>

extern "C" {
const TSLanguage* tree_sitter_c();
const TSLanguage* tree_sitter_cpp();
const TSLanguage* tree_sitter_java();
const TSLanguage* tree_sitter_javascript();
const TSLanguage* tree_sitter_python();
}

namespace belljar::screen {
namespace {

constexpr std::string_view kC[] = {".c", ".h", ".inc"};
constexpr std::string_view kCpp[] = {".cpp", ".cc", ".cxx", ".c++", ".hpp", ".hh",
                                     ".hxx", ".h",  ".inc", ".ipp", ".tpp"};
constexpr std::string_view kJava[] = {".java"};
constexpr std::string_view kJavaScript[] = {".js", ".mjs", ".cjs"};
constexpr std::string_view kPython[] = {".py", ".pyw", ".pyi"};

constexpr Language kLanguages[] = {
    {.name = "c", .dialect = Dialect::kC, .extensions = kC, .grammar = tree_sitter_c},
    {.name = "cpp", .dialect = Dialect::kCpp, .extensions = kCpp, .grammar = tree_sitter_cpp},
    {.name = "java", .dialect = Dialect::kJava, .extensions = kJava, .grammar = tree_sitter_java},
    {.name = "javascript",
     .dialect = Dialect::kJavaScript,
     .extensions = kJavaScript,
     .grammar = tree_sitter_javascript},
    {.name = "python",
     .dialect = Dialect::kPython,
     .extensions = kPython,
     .grammar = tree_sitter_python},
};

}  // namespace

std::span<const Language> languages() {
  return kLanguages;
}

const Language* find_language(std::string_view name) {
  const auto* const found = std::ranges::find(kLanguages, name, &Language::name);
  return found == std::end(kLanguages) ? nullptr : found;
}

}  // namespace belljar::screen
