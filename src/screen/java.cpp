// How Java mentions things.
#include "screen/reader.h"

namespace belljar::screen {
namespace {

// What is imported without being asked for.
std::string canonical(std::string name) {
  if (name.starts_with("java.lang.") && name.size() > 10 && name[10] >= 'A' && name[10] <= 'Z') {
    name.erase(0, 10);
  }
  return name;
}

class JavaReader final : public Reader {
 public:
  using Reader::Reader;

  void bind(TSNode node) override {
    const std::string_view type = type_of(node);
    if (type == "import_declaration") {
      const std::string path = without_blanks(text(named_child(node, 0)));
      define(std::string_view(path).substr(path.rfind('.') + 1), {path});
    } else if (type == "local_variable_declaration" || type == "field_declaration") {
      bind_variable(field(field(node, "declarator"), "name"), field(node, "type"));
    } else if (type == "formal_parameter") {
      bind_variable(field(node, "name"), field(node, "type"));
    } else if (type == "variable_declarator") {
      define(text(field(node, "name")), names_of(field(node, "value"), 0));
    } else if (type == "assignment_expression") {
      const TSNode left = field(node, "left");
      if (is(left, "identifier")) define(text(left), names_of(field(node, "right"), 0));
    }
  }

  void read(TSNode node) override {
    const std::string_view type = type_of(node);
    if (type == "import_declaration") {
      const TSNode path = named_child(node, 0);
      mention(RuleKind::kImport, without_blanks(text(path)), path, node);
    } else if (type == "scoped_identifier" || type == "scoped_type_identifier" ||
               type == "field_access") {
      for (const std::string& name : names_of(node, 0)) {
        mention(RuleKind::kImport, name, node, node);
        mention(RuleKind::kName, canonical(name), node, node);
      }
    } else if (type == "identifier" || type == "type_identifier") {
      mention(RuleKind::kName, text(node), node, node);
    } else if (type == "method_invocation") {
      read_called(node, node);
      mention(RuleKind::kAttribute, text(field(node, "name")), field(node, "name"), node);
    } else if (type == "object_creation_expression") {
      read_called(field(node, "type"), node);
    } else if (type == "method_reference") {
      const Names objects = names_of(named_child(node, 0), 0);
      for (const std::string& name : below(objects, text(last_named_child(node)))) {
        mention(RuleKind::kCall, canonical(name), node, node);
      }
    }
  }

 private:
  // A variable stands for its type: a rule about Runtime.exec is meant for both.
  void bind_variable(TSNode name, TSNode type) { define(text(name), names_of(type, 0)); }

  void read_called(TSNode function, TSNode whole) const {
    for (const std::string& name : names_of(function, 0)) {
      mention(RuleKind::kCall, canonical(name), function, whole);
    }
  }

  Names names_of(TSNode node, int depth) const override {
    if (!goes_on(node, depth)) return {};
    const std::string_view type = type_of(node);
    if (type == "identifier" || type == "type_identifier") return meanings(text(node));
    if (type == "scoped_identifier" || type == "scoped_type_identifier") {
      return {without_blanks(text(node))};
    }
    if (type == "generic_type") return names_of(named_child(node, 0), depth + 1);
    if (type == "field_access") {
      return below(names_of(field(node, "object"), depth + 1), text(field(node, "field")));
    }
    if (type == "method_invocation") {
      const TSNode object = field(node, "object");
      const std::string_view name = text(field(node, "name"));
      if (ts_node_is_null(object)) return meanings(name);
      Names names;
      // Runtime.getRuntime().exec is Runtime.exec: such a method gives its own class.
      for (const std::string& of : names_of(object, depth + 1)) {
        constexpr std::string_view kOwn = ".getRuntime";
        const bool own = of.ends_with(kOwn);
        append(names, below({own ? of.substr(0, of.size() - kOwn.size()) : of}, name));
      }
      return names;
    }
    if (type == "parenthesized_expression") return names_of(named_child(node, 0), depth + 1);
    if (type == "cast_expression") return names_of(field(node, "value"), depth + 1);
    if (type == "object_creation_expression") return names_of(field(node, "type"), depth + 1);
    if (type == "ternary_expression") {
      return either(field(node, "consequence"), field(node, "alternative"), depth + 1);
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Reader> make_java_reader(const Source& source, MentionSink sink) {
  return std::make_unique<JavaReader>(source, std::move(sink));
}

}  // namespace belljar::screen
