// What a source mentions: imports, calls, members, names, by the full names that rules are written
// in. A reader per language knows how that language spells them.
//
// Names are followed through what can be read off the text: aliases of imports, plain assignments,
// strings put together from constants. They are not followed through the flow of a program.
#pragma once

#include <tree_sitter/api.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "screen/rules.h"
#include "screen/source.h"

namespace belljar::screen {

using Names = std::vector<std::string>;

// One mention. `at` is where it stands, `whole` the expression or statement that it is part of.
struct Mention {
  RuleKind kind;
  std::string_view name;
  TSNode at;
  TSNode whole;
};
// True where a rule is about it.
using MentionSink = std::function<bool(const Mention&)>;

class Reader {
 public:
  Reader(const Source& source, MentionSink sink) : source_(source), sink_(std::move(sink)) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  // The first walk over all nodes learns what names stand for; it is made twice, since a name may
  // be used above its definition. The second reports.
  virtual void bind(TSNode node) = 0;
  virtual void read(TSNode node) = 0;

 protected:
  static constexpr int kDeepest = 32;  // expressions below this are not looked into
  static constexpr std::size_t kMostNames = 8;
  static constexpr std::uint32_t kMostParts = 64;

  // The names that an expression may stand for, none where it cannot be told. `depth` is 0 for the
  // whole of an expression, else one more than the caller's.
  virtual Names names_of(TSNode node, int depth) const = 0;
  // What names_of() asks first: that the node is there, and that this expression has not taken more
  // steps than any that people write.
  bool goes_on(TSNode node, int depth) const;

  std::string_view text(TSNode node) const;
  bool mention(RuleKind kind, std::string_view name, TSNode at, TSNode whole) const;
  void define(std::string_view name, const Names& meanings);
  // The name itself and what it was defined as.
  Names meanings(std::string_view name) const;
  // Of two expressions, either.
  Names either(TSNode one, TSNode other, int depth) const;

 private:
  const Source& source_;
  MentionSink sink_;
  std::map<std::string, Names, std::less<>> meanings_;
  mutable int steps_ = 0;
};

std::unique_ptr<Reader> make_python_reader(const Source& source, MentionSink sink);
std::unique_ptr<Reader> make_javascript_reader(const Source& source, MentionSink sink);
std::unique_ptr<Reader> make_c_reader(const Source& source, MentionSink sink);  // and C++
std::unique_ptr<Reader> make_java_reader(const Source& source, MentionSink sink);

// Shorthands for tree-sitter's functions. A node that is not there is null; its type is empty.
std::string_view type_of(TSNode node);
bool is(TSNode node, std::string_view type);
TSNode field(TSNode node, std::string_view name);
TSNode named_child(TSNode node, std::uint32_t index);  // comments do not count
TSNode last_named_child(TSNode node);

Names below(Names objects, std::string_view member);  // each with ".member"
void append(Names& names, Names more);
bool strip_prefix(std::string& text, std::string_view prefix);
std::string without_blanks(std::string_view text);
// The value of the escape that stands at the start of `text`, a backslash; removes it from there.
// \n, \x41, \u0041, \u{41}, octal and the like; nothing where it is none of these.
std::optional<std::string> take_escape(std::string_view& text);

}  // namespace belljar::screen
