// How C and C++ mention things.
#include <algorithm>

#include "screen/reader.h"

namespace belljar::screen {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// "std::system" and "::system" are the C library's function.
std::string canonical(std::string name) {
  strip_prefix(name, ".");
  if (name.starts_with("std.") && name.find('.', 4) == std::string::npos) name.erase(0, 4);
  return name;
}

class CReader final : public Reader {
 public:
  using Reader::Reader;

  void bind(TSNode node) override {
    const std::string_view type = type_of(node);
    if (type == "preproc_def") {
      define(text(field(node, "name")), {without_blanks(text(field(node, "value")))});
    } else if (type == "init_declarator") {
      bind_declarator(field(node, "declarator"), names_of(field(node, "value"), 0));
    } else if (type == "assignment_expression") {
      const TSNode left = field(node, "left");
      if (is(left, "identifier")) define(text(left), names_of(field(node, "right"), 0));
    }
  }

  void read(TSNode node) override {
    const std::string_view type = type_of(node);
    if (type == "identifier") {
      mention(RuleKind::kName, text(node), node, node);
    } else if (type == "field_identifier") {
      mention(RuleKind::kAttribute, text(node), node, node);
    } else if (type == "qualified_identifier") {
      for (const std::string& name : names_of(node, 0)) {
        mention(RuleKind::kName, canonical(name), node, node);
      }
    } else if (type == "call_expression") {
      const TSNode function = field(node, "function");
      for (const std::string& name : names_of(function, 0)) {
        mention(RuleKind::kCall, canonical(name), function, node);
      }
    } else if (type == "preproc_include") {
      read_include(field(node, "path"), node);
    } else if (type == "preproc_call") {
      read_directive(node);
    } else if (type == "preproc_def" || type == "preproc_function_def") {
      read_macro(field(node, "value"), node);
    }
  }

 private:
  void bind_declarator(TSNode declarator, const Names& value) {
    for (int depth = 0; depth < kDeepest && !ts_node_is_null(declarator); ++depth) {
      if (is(declarator, "identifier")) {
        define(text(declarator), value);
        return;
      }
      const TSNode inner = field(declarator, "declarator");
      declarator = ts_node_is_null(inner) ? named_child(declarator, 0) : inner;
    }
  }

  // "<unistd.h>" or "\"unistd.h\"" as unistd.h.
  void read_header(std::string header, TSNode at, TSNode whole) const {
    if (header.size() < 2 || (header[0] != '<' && header[0] != '"')) return;
    const std::size_t end = header.find(header[0] == '<' ? '>' : '"', 1);
    mention(RuleKind::kImport, std::string_view(header).substr(1, end - 1), at, whole);
  }

  void read_include(TSNode path, TSNode whole) const {
    if (!is(path, "identifier")) {
      read_header(without_blanks(text(path)), path, whole);
      return;
    }
    for (std::string& meaning : meanings(text(path))) read_header(std::move(meaning), path, whole);
  }

  void read_directive(TSNode node) const {
    const std::string directive = without_blanks(text(field(node, "directive")));
    if (directive != "#include_next" && directive != "#import" && directive != "#embed") return;
    const TSNode argument = field(node, "argument");
    read_header(without_blanks(text(argument)), argument, node);
  }

  // What a macro will be replaced by is not parsed; every word in it counts.
  void read_macro(TSNode body, TSNode whole) const {
    std::string_view rest = text(body);
    while (!rest.empty()) {
      const auto begin =
          static_cast<std::size_t>(std::ranges::find_if(rest, is_word) - rest.begin());
      rest.remove_prefix(begin);
      const auto length =
          static_cast<std::size_t>(std::ranges::find_if_not(rest, is_word) - rest.begin());
      const std::string_view word = rest.substr(0, length);
      rest.remove_prefix(length);
      if (word.empty()) return;
      const std::size_t next = rest.find_first_not_of(" \t");
      mention(RuleKind::kName, word, body, whole);
      if (next != std::string_view::npos && rest[next] == '(') {
        mention(RuleKind::kCall, word, body, whole);
      }
    }
  }

  Names names_of(TSNode node, int depth) const override {
    if (!goes_on(node, depth)) return {};
    const std::string_view type = type_of(node);
    if (type == "identifier") return meanings(text(node));
    if (type == "qualified_identifier") {
      std::string name = without_blanks(text(node));
      for (std::size_t at = 0; (at = name.find("::", at)) != std::string::npos; ++at) {
        name.replace(at, 2, ".");
      }
      return {std::move(name)};
    }
    if (type == "parenthesized_expression") return names_of(named_child(node, 0), depth + 1);
    if (type == "pointer_expression") return names_of(field(node, "argument"), depth + 1);
    if (type == "cast_expression") return names_of(field(node, "value"), depth + 1);
    if (type == "comma_expression") return names_of(field(node, "right"), depth + 1);
    if (type == "conditional_expression") {
      return either(field(node, "consequence"), field(node, "alternative"), depth + 1);
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Reader> make_c_reader(const Source& source, MentionSink sink) {
  return std::make_unique<CReader>(source, std::move(sink));
}

}  // namespace belljar::screen
