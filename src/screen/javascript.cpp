// How JavaScript mentions things.
#include <algorithm>

#include "screen/reader.h"

namespace belljar::screen {
namespace {

// Global functions by the name that they have alone, and functions through call, apply and bind.
std::string canonical(std::string name) {
  while (strip_prefix(name, "globalThis.") || strip_prefix(name, "global.") ||
         strip_prefix(name, "window.") || strip_prefix(name, "self.")) {
  }
  for (const std::string_view suffix : {".call", ".apply", ".bind"}) {
    if (name.size() > suffix.size() && name.ends_with(suffix)) {
      name.resize(name.size() - suffix.size());
    }
  }
  return name;
}

bool is_importer(std::string_view name) {
  return name == "require" || name.ends_with(".require") || name == "process.getBuiltinModule";
}

class JavaScriptReader final : public Reader {
 public:
  using Reader::Reader;

  void bind(TSNode node) override {
    const std::string_view type = type_of(node);
    if (type == "variable_declarator") {
      bind_pattern(field(node, "name"), names_of(field(node, "value"), 0));
    } else if (type == "assignment_expression" || type == "assignment_pattern") {
      bind_pattern(field(node, "left"), names_of(field(node, "right"), 0));
    } else if (type == "import_statement") {
      const auto module = constant(field(node, "source"), 0);
      if (module) bind_import(named_child(node, 0), bare(*module));
    }
  }

  void read(TSNode node) override {
    const std::string_view type = type_of(node);
    if (type == "identifier" || type == "shorthand_property_identifier") {
      mention(RuleKind::kName, word(node), node, node);
    } else if (type == "property_identifier" || type == "shorthand_property_identifier_pattern") {
      mention(RuleKind::kAttribute, word(node), node, node);
    } else if (type == "member_expression") {
      read_path(node);
    } else if (type == "subscript_expression") {
      if (const auto member = constant(field(node, "index"), 0)) {
        mention(RuleKind::kAttribute, *member, node, node);
      }
      read_path(node);
    } else if (type == "import_statement" || type == "export_statement") {
      const auto module = constant(field(node, "source"), 0);
      if (module) mention(RuleKind::kImport, bare(*module), field(node, "source"), node);
    } else if (type == "call_expression") {
      read_call(node);
    } else if (type == "new_expression") {
      read_called(field(node, "constructor"), node);
    }
  }

 private:
  static std::string bare(std::string module) {
    strip_prefix(module, "node:");
    return module;
  }

  // An identifier with its \u escapes resolved.
  std::string word(TSNode node) const {
    std::string_view rest = text(node);
    std::string out;
    while (!rest.empty()) {
      const std::size_t plain = std::min(rest.find('\\'), rest.size());
      out += rest.substr(0, plain);
      rest.remove_prefix(plain);
      if (rest.empty()) break;
      const auto value = take_escape(rest);
      if (!value) break;
      out += *value;
    }
    return out;
  }

  void bind_pattern(TSNode pattern, const Names& value) {
    if (value.empty()) return;
    if (is(pattern, "identifier")) define(word(pattern), value);
    if (!is(pattern, "object_pattern")) return;
    const std::uint32_t count = std::min(ts_node_named_child_count(pattern), kMostParts);
    for (std::uint32_t i = 0; i < count; ++i) {
      const TSNode part = named_child(pattern, i);
      if (is(part, "shorthand_property_identifier_pattern")) {
        define(word(part), below(value, word(part)));
      } else if (is(part, "pair_pattern") && is(field(part, "value"), "identifier")) {
        define(word(field(part, "value")), below(value, word(field(part, "key"))));
      }
    }
  }

  void bind_import(TSNode clause, const std::string& module) {
    if (!is(clause, "import_clause")) return;
    for (std::uint32_t i = 0; i < 2; ++i) {
      const TSNode part = named_child(clause, i);
      if (is(part, "identifier")) define(word(part), {module});
      if (is(part, "namespace_import")) define(word(named_child(part, 0)), {module});
      if (!is(part, "named_imports")) continue;
      const std::uint32_t count = std::min(ts_node_named_child_count(part), kMostParts);
      for (std::uint32_t j = 0; j < count; ++j) {
        const TSNode specifier = named_child(part, j);
        const TSNode name = field(specifier, "name");
        const TSNode alias = field(specifier, "alias");
        const std::string member = word(name);
        define(ts_node_is_null(alias) ? member : word(alias),
               member == "default" ? Names{module} : below({module}, member));
      }
    }
  }

  void read_path(TSNode node) const {
    for (const std::string& name : names_of(node, 0)) {
      mention(RuleKind::kName, canonical(name), node, node);
    }
  }

  void read_called(TSNode function, TSNode whole) const {
    for (const std::string& name : names_of(function, 0)) {
      mention(RuleKind::kCall, canonical(name), function, whole);
    }
  }

  void read_call(TSNode node) const {
    const TSNode function = field(node, "function");
    if (imports(function, names_of(function, 0))) {
      if (const auto module = constant(named_child(field(node, "arguments"), 0), 0)) {
        mention(RuleKind::kImport, bare(*module), node, node);
      }
    }
    if (is(function, "import")) {
      mention(RuleKind::kCall, "import", function, node);
    } else {
      read_called(function, node);
    }
  }

  static bool imports(TSNode function, const Names& names) {
    return is(function, "import") || std::ranges::any_of(names, [](const std::string& name) {
             return is_importer(canonical(name));
           });
  }

  Names names_of(TSNode node, int depth) const override {
    if (!goes_on(node, depth)) return {};
    const std::string_view type = type_of(node);
    if (type == "identifier" || type == "shorthand_property_identifier") {
      return meanings(word(node));
    }
    if (type == "member_expression") {
      return below(names_of(field(node, "object"), depth + 1), word(field(node, "property")));
    }
    if (type == "subscript_expression") {
      const auto member = constant(field(node, "index"), 0);
      if (!member) return {};
      return below(names_of(field(node, "object"), depth + 1), *member);
    }
    if (type == "call_expression") return names_of_call(node, depth);
    if (type == "parenthesized_expression" || type == "await_expression" ||
        type == "sequence_expression") {
      return names_of(last_named_child(node), depth + 1);
    }
    if (type == "assignment_expression") return names_of(field(node, "right"), depth + 1);
    if (type == "ternary_expression") {
      return either(field(node, "consequence"), field(node, "alternative"), depth + 1);
    }
    if (type == "binary_expression") {
      return either(field(node, "left"), field(node, "right"), depth + 1);
    }
    return {};
  }

  Names names_of_call(TSNode node, int depth) const {
    const TSNode function = field(node, "function");
    const Names functions = names_of(function, depth + 1);
    if (imports(function, functions)) {
      auto module = constant(named_child(field(node, "arguments"), 0), 0);
      return module ? Names{bare(*std::move(module))} : Names{};
    }
    Names names;
    for (const std::string& name : functions) {
      if (name.ends_with("createRequire")) append(names, {"require"});
      if (name.ends_with(".bind")) append(names, {canonical(name)});
    }
    return names;
  }

  std::optional<std::string> constant(TSNode node, int depth) const {
    if (ts_node_is_null(node) || depth == kDeepest) return std::nullopt;
    const std::string_view type = type_of(node);
    if (type == "parenthesized_expression") return constant(named_child(node, 0), depth + 1);
    if (type == "binary_expression") {
      if (text(field(node, "operator")) != "+") return std::nullopt;
      auto left = constant(field(node, "left"), depth + 1);
      const auto right = left ? constant(field(node, "right"), depth + 1) : std::nullopt;
      if (!right) return std::nullopt;
      return *left + *right;
    }
    if (type != "string" && type != "template_string") return std::nullopt;
    const std::uint32_t count = ts_node_named_child_count(node);
    if (count > kMostParts) return std::nullopt;
    std::string out;
    for (std::uint32_t i = 0; i < count; ++i) {
      const TSNode part = named_child(node, i);
      std::string_view content = text(part);
      if (is(part, "template_substitution")) {
        const auto value = constant(named_child(part, 0), depth + 1);
        if (!value) return std::nullopt;
        out += *value;
      } else if (is(part, "escape_sequence")) {
        const auto value = take_escape(content);
        out += value ? *value : "";
      } else {
        out += content.substr(0, 4096);
      }
    }
    return out;
  }
};

}  // namespace

std::unique_ptr<Reader> make_javascript_reader(const Source& source, MentionSink sink) {
  return std::make_unique<JavaScriptReader>(source, std::move(sink));
}

}  // namespace belljar::screen
