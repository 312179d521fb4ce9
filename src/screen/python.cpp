// How Python mentions things.
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.h"
#include "screen/reader.h"

namespace belljar::screen {
namespace {

constexpr std::string_view kGlobals = "<globals>";  // what globals() and vars() give

// The interpreter compares identifiers in NFKC.
std::string normalised(std::string_view identifier) {
  const bool ascii =
      std::ranges::all_of(identifier, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return std::string(identifier);
  // utf8proc_NFKC() wants a text that ends with NUL.
  std::string copy(identifier);
  std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> form(
      utf8proc_NFKC(reinterpret_cast<const utf8proc_uint8_t*>(copy.c_str())), std::free);
  if (form == nullptr) return copy;
  return reinterpret_cast<const char*>(form.get());
}

// Built-in functions by the name that they have without an import.
std::string canonical(std::string name) {
  while (strip_prefix(name, "builtins.") || strip_prefix(name, "__builtins__.") ||
         strip_prefix(name, "__dict__.") || strip_prefix(name, "<globals>.")) {
  }
  return name;
}

bool is_importer(std::string_view name) {
  return name == "__import__" || name == "importlib.import_module" ||
         name == "importlib.__import__";
}

// Functions that take the name of a member as a string.
bool takes_member_name(std::string_view name) {
  constexpr std::array<std::string_view, 7> kFunctions{
      "getattr", "hasattr", "setattr", "delattr", "attrgetter", "methodcaller", "__getattribute__"};
  const std::size_t dot = name.rfind('.');
  return std::ranges::find(kFunctions, name.substr(dot + 1)) != kFunctions.end();
}

class PythonReader final : public Reader {
 public:
  using Reader::Reader;

  void bind(TSNode node) override {
    const std::string_view type = type_of(node);
    if (type == "import_statement") {
      each_import(node, [&](TSNode module, TSNode alias) { bind_import(module, alias); });
    } else if (type == "import_from_statement") {
      bind_import_from(node);
    } else if (type == "assignment" || type == "named_expression") {
      const bool walrus = type == "named_expression";
      bind_target(field(node, walrus ? "name" : "left"), field(node, walrus ? "value" : "right"));
    } else if (type == "default_parameter" || type == "typed_default_parameter") {
      bind_target(field(node, "name"), field(node, "value"));
    } else if (type == "for_statement" || type == "for_in_clause") {
      const TSNode target = field(node, "left");
      const TSNode values = field(node, "right");
      if (!is(values, "tuple") && !is(values, "list")) return;
      for (std::uint32_t i = 0; i < kMostNames; ++i) bind_target(target, named_child(values, i));
    }
  }

  void read(TSNode node) override {
    const std::string_view type = type_of(node);
    if (type == "identifier") {
      const std::string name = normalised(text(node));
      mention(RuleKind::kName, name, node, node);
    } else if (type == "attribute") {
      read_attribute(node);
    } else if (type == "call") {
      read_call(node);
    } else if (type == "subscript") {
      read_path(node);
    } else if (type == "import_statement") {
      each_import(node, [&](TSNode module, TSNode) {
        mention(RuleKind::kImport, dotted(module), module, node);
      });
    } else if (type == "import_from_statement") {
      read_import_from(node);
    } else if (type == "future_import_statement") {
      mention(RuleKind::kImport, "__future__", node, node);
    } else if (type == "decorator") {
      const TSNode function = named_child(node, 0);
      if (!is(function, "call")) read_called(function, node);
    } else if (type == "exec_statement") {
      mention(RuleKind::kCall, "exec", node, node);
    } else if (type == "keyword_pattern") {
      const TSNode member = named_child(node, 0);
      mention(RuleKind::kAttribute, normalised(text(member)), member, node);
    }
  }

 private:
  // "os . path" as "os.path", each part normalised.
  std::string dotted(TSNode node) const { return normalised(without_blanks_of_path(text(node))); }

  // Comments and continued lines can stand inside of a dotted name.
  static std::string without_blanks_of_path(std::string_view path) {
    std::string out = without_blanks(path);
    std::erase(out, '\\');
    return out;
  }

  template <typename Visit>
  void each_import(TSNode statement, Visit visit) const {
    const std::uint32_t count = ts_node_named_child_count(statement);
    for (std::uint32_t i = 0; i < count; ++i) {
      const TSNode child = named_child(statement, i);
      if (is(child, "aliased_import")) {
        visit(field(child, "name"), field(child, "alias"));
      } else if (is(child, "dotted_name")) {
        visit(child, TSNode{});
      }
    }
  }

  void bind_import(TSNode module, TSNode alias) {
    if (!ts_node_is_null(alias)) define(normalised(text(alias)), {dotted(module)});
  }

  void bind_import_from(TSNode statement) {
    const TSNode module = field(statement, "module_name");
    const std::string path = dotted(module);
    const std::uint32_t count = ts_node_named_child_count(statement);
    for (std::uint32_t i = 1; i < count; ++i) {
      const TSNode child = named_child(statement, i);
      if (is(child, "wildcard_import")) {
        if (stars_.size() < kMostNames) append(stars_, {path});
      } else if (is(child, "aliased_import")) {
        define(normalised(text(field(child, "alias"))),
               below({path}, dotted(field(child, "name"))));
      } else if (is(child, "dotted_name")) {
        define(dotted(child), below({path}, dotted(child)));
      }
    }
  }

  void bind_target(TSNode target, TSNode value) {
    if (is(target, "identifier")) {
      define(normalised(text(target)), names_of(value, 0));
    } else if ((is(target, "pattern_list") || is(target, "tuple_pattern")) &&
               (is(value, "expression_list") || is(value, "tuple"))) {
      for (std::uint32_t i = 0; i < kMostNames; ++i) {
        const TSNode name = named_child(target, i);
        if (is(name, "identifier")) {
          define(normalised(text(name)), names_of(named_child(value, i), 0));
        }
      }
    }
  }

  void read_import_from(TSNode statement) const {
    const TSNode module = field(statement, "module_name");
    const std::string path = dotted(module);
    const bool known = mention(RuleKind::kImport, path, module, statement);
    const std::uint32_t count = ts_node_named_child_count(statement);
    for (std::uint32_t i = 1; i < count; ++i) {
      TSNode child = named_child(statement, i);
      if (is(child, "aliased_import")) child = field(child, "name");
      if (!is(child, "dotted_name")) continue;
      const std::string name = path + "." + dotted(child);
      if (!known) mention(RuleKind::kImport, name, child, statement);
      mention(RuleKind::kName, canonical(name), child, statement);
      mention(RuleKind::kAttribute, dotted(child), child, statement);
    }
  }

  void read_attribute(TSNode node) const {
    const TSNode member = field(node, "attribute");
    mention(RuleKind::kAttribute, normalised(text(member)), member, node);
    TSNode object = field(node, "object");
    for (int depth = 0; is(object, "parenthesized_expression") && depth < kDeepest; ++depth) {
      object = named_child(object, 0);
    }
    if (is_literal(object)) mention(RuleKind::kAttributeOnConstant, "", node, node);
    read_path(node);
  }

  void read_path(TSNode node) const {
    for (const std::string& name : names_of(node, 0)) {
      mention(RuleKind::kName, canonical(name), node, node);
    }
  }

  // What Python's own parser calls a Constant: an f-string is none, nor what contains one.
  bool is_literal(TSNode node) const {
    constexpr std::array<std::string_view, 6> kLiterals{"integer", "float", "none",
                                                        "true",    "false", "ellipsis"};
    const std::string_view type = type_of(node);
    if (std::ranges::find(kLiterals, type) != kLiterals.end()) return true;
    if (type == "string") return !is_format_string(node);
    if (type != "concatenated_string") return false;
    const std::uint32_t count = std::min(ts_node_named_child_count(node), kMostParts);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (is_format_string(named_child(node, i))) return false;
    }
    return true;
  }

  bool is_format_string(TSNode string) const {
    return text(named_child(string, 0)).find_first_of("fFtT") != std::string_view::npos;
  }

  bool read_called(TSNode function, TSNode whole) const {
    bool known = false;
    for (const std::string& name : names_of(function, 0)) {
      known |= mention(RuleKind::kCall, canonical(name), function, whole);
    }
    return known;
  }

  void read_call(TSNode node) const {
    const TSNode function = field(node, "function");
    const TSNode arguments = field(node, "arguments");
    read_called(function, node);
    for (const std::string& plain : names_of(function, 0)) {
      const std::string name = canonical(plain);
      if (!is_importer(name)) continue;
      if (const auto module = argument(arguments, 0)) {
        mention(RuleKind::kImport, *module, node, node);
      }
      break;
    }
    std::string last;
    if (is(function, "attribute")) last = normalised(text(field(function, "attribute")));
    if (last == "format" || last == "format_map") {
      if (const auto format = constant(field(function, "object"), 0)) {
        read_format(*format, node);
      }
    }
    Names names = names_of(function, 0);
    if (!last.empty()) names.push_back(last);
    if (!std::ranges::any_of(names, takes_member_name)) return;
    for (std::uint32_t i = 0; i < 3; ++i) {
      if (const auto value = argument(arguments, i)) read_members(*value, node);
    }
  }

  // "a.b.c" and the like: each part is the name of a member.
  void read_members(std::string_view path, TSNode node) const {
    for (int part = 0; part < kDeepest && !path.empty(); ++part) {
      const std::size_t end = std::min(path.find_first_of(".[]"), path.size());
      mention(RuleKind::kAttribute, path.substr(0, end), node, node);
      path.remove_prefix(std::min(end + 1, path.size()));
    }
  }

  // The fields of a format string: "{0.__class__}" reads a member.
  void read_format(std::string_view format, TSNode node) const {
    for (std::uint32_t i = 0; i < kMostParts; ++i) {
      const std::size_t begin = format.find('{');
      if (begin == std::string_view::npos) return;
      format.remove_prefix(begin + 1);
      const std::size_t dot = format.find_first_of(".[}{!:");
      if (dot == std::string_view::npos) return;
      if (format[dot] != '.' && format[dot] != '[') continue;
      const std::size_t end = std::min(format.find_first_of("}!:{"), format.size());
      read_members(format.substr(dot + 1, end - dot - 1), node);
    }
  }

  std::optional<std::string> argument(TSNode arguments, std::uint32_t index) const {
    TSNode node = named_child(arguments, index);
    if (is(node, "keyword_argument")) node = field(node, "value");
    return constant(node, 0);
  }

  Names names_of(TSNode node, int depth) const override {
    if (!goes_on(node, depth)) return {};
    const std::string_view type = type_of(node);
    if (type == "identifier") {
      const std::string name = normalised(text(node));
      Names names = meanings(name);
      append(names, below(stars_, name));
      return names;
    }
    if (type == "attribute") {
      return below(names_of(field(node, "object"), depth + 1),
                   normalised(text(field(node, "attribute"))));
    }
    if (type == "subscript") return names_of_subscript(node, depth);
    if (type == "call") return names_of_call(node, depth);
    if (type == "parenthesized_expression") return names_of(named_child(node, 0), depth + 1);
    if (type == "named_expression") return names_of(field(node, "value"), depth + 1);
    if (type == "conditional_expression") {
      return either(named_child(node, 0), named_child(node, 2), depth + 1);
    }
    if (type == "boolean_operator") {
      return either(field(node, "left"), field(node, "right"), depth + 1);
    }
    return {};
  }

  Names names_of_subscript(TSNode node, int depth) const {
    const auto key = constant(field(node, "subscript"), 0);
    if (!key) return {};
    Names names;
    for (const std::string& object : names_of(field(node, "value"), depth + 1)) {
      append(names, item_of(object, *key));
    }
    return names;
  }

  // What the dictionaries hold that lead to built-in functions and modules.
  static Names item_of(std::string object, const std::string& key) {
    if (object == "sys.modules" || object == kGlobals) return {key};
    if (object == "__builtins__") return {"builtins." + key};
    if (!object.ends_with(".__dict__")) return {};
    object.resize(object.size() - std::string_view("__dict__").size());
    return {object + key};
  }

  Names names_of_call(TSNode node, int depth) const {
    const TSNode arguments = field(node, "arguments");
    Names names;
    for (const std::string& plain : names_of(field(node, "function"), depth + 1)) {
      const std::string name = canonical(plain);
      if (is_importer(name)) {
        if (auto module = argument(arguments, 0)) append(names, {*std::move(module)});
      } else if (name == "getattr") {
        if (const auto member = argument(arguments, 1)) {
          append(names, below(names_of(named_child(arguments, 0), depth + 1), *member));
        }
      } else if (name == "vars" && ts_node_named_child_count(arguments) == 1) {
        append(names, below(names_of(named_child(arguments, 0), depth + 1), "__dict__"));
      } else if (name == "globals" || name == "vars" || name == "locals") {
        append(names, {std::string(kGlobals)});
      } else if (plain.ends_with(".get") || plain.ends_with(".__getitem__")) {
        if (const auto key = argument(arguments, 0)) {
          append(names, item_of(plain.substr(0, plain.rfind('.')), *key));
        }
      }
    }
    return names;
  }

  // The value of an expression that is put together from constants.
  std::optional<std::string> constant(TSNode node, int depth) const {
    if (ts_node_is_null(node) || depth == kDeepest) return std::nullopt;
    const std::string_view type = type_of(node);
    if (type == "string") return string_value(node, depth);
    if (type == "parenthesized_expression") return constant(named_child(node, 0), depth + 1);
    if (type == "named_expression") return constant(field(node, "value"), depth + 1);
    if (type == "concatenated_string") return joined(node, "", depth);
    if (type == "binary_operator") {
      if (text(field(node, "operator")) != "+") return std::nullopt;
      auto left = constant(field(node, "left"), depth + 1);
      const auto right = left ? constant(field(node, "right"), depth + 1) : std::nullopt;
      if (!right) return std::nullopt;
      return *left + *right;
    }
    if (type == "subscript") {
      if (without_blanks(text(field(node, "subscript"))) != "::-1") return std::nullopt;
      auto value = constant(field(node, "value"), depth + 1);
      if (value) std::ranges::reverse(*value);
      return value;
    }
    if (type == "call") return called_constant(node, depth);
    return std::nullopt;
  }

  // chr(111), "".join([...]), b"os".decode(), str("os").
  std::optional<std::string> called_constant(TSNode node, int depth) const {
    const TSNode function = field(node, "function");
    const TSNode first = named_child(field(node, "arguments"), 0);
    if (is(function, "identifier")) {
      const std::string name = normalised(text(function));
      if (name == "str") return constant(first, depth + 1);
      if (name != "chr" || !is(first, "integer")) return std::nullopt;
      const std::string digits(text(first));
      const unsigned long code = std::strtoul(digits.c_str(), nullptr, 0);
      if (code == 0 || code > 0x7f) return std::nullopt;
      return std::string(1, static_cast<char>(code));
    }
    if (!is(function, "attribute")) return std::nullopt;
    const std::string name = normalised(text(field(function, "attribute")));
    auto object = constant(field(function, "object"), depth + 1);
    if (!object) return std::nullopt;
    if (name == "decode" || name == "strip") return object;
    if (name == "lower") return ascii_lower(*object);
    if (name == "join" && (is(first, "list") || is(first, "tuple"))) {
      return joined(first, *object, depth);
    }
    return std::nullopt;
  }

  std::optional<std::string> joined(TSNode parts, std::string_view separator, int depth) const {
    const std::uint32_t count = ts_node_named_child_count(parts);
    if (count > kMostParts) return std::nullopt;
    std::string out;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto part = constant(named_child(parts, i), depth + 1);
      if (!part) return std::nullopt;
      if (i > 0) out += separator;
      out += *part;
    }
    return out;
  }

  std::optional<std::string> string_value(TSNode node, int depth) const {
    const std::uint32_t count = ts_node_named_child_count(node);
    if (count > kMostParts) return std::nullopt;
    const std::string_view start = text(named_child(node, 0));
    const bool raw = start.find_first_of("rR") != std::string_view::npos;
    std::string out;
    for (std::uint32_t i = 0; i < count; ++i) {
      const TSNode part = named_child(node, i);
      if (is(part, "interpolation")) {
        const auto value = constant(field(part, "expression"), depth + 1);
        if (!value) return std::nullopt;
        out += *value;
      } else if (is(part, "string_content")) {
        std::string_view content = text(part);
        if (content.size() > kLongestString) return std::nullopt;
        while (!content.empty()) {
          const std::size_t plain = raw ? content.size() : content.find('\\');
          out += content.substr(0, plain);
          content.remove_prefix(std::min(plain, content.size()));
          if (content.empty()) break;
          const auto value = take_escape(content);
          if (!value) return std::nullopt;
          out += *value;
        }
      }
    }
    return out;
  }

  static constexpr std::size_t kLongestString = 4096;

  Names stars_;  // modules of which everything was imported
};

}  // namespace

std::unique_ptr<Reader> make_python_reader(const Source& source, MentionSink sink) {
  return std::make_unique<PythonReader>(source, std::move(sink));
}

}  // namespace belljar::screen
