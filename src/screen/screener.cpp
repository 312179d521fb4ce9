#include "screen/screener.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

#include "base/glob.h"
#include "base/text.h"
#include "screen/language.h"
#include "screen/parse.h"
#include "screen/reader.h"
#include "screen/source.h"

namespace belljar::screen {
namespace {

using Clock = Arena::Clock;

// The rules of one language, by what they look for.
class Matcher {
 public:
  Matcher(const RuleSet& rules, const Language& language)
      : by_symbol_(ts_language_symbol_count(language.grammar())) {
    for (const Rule& rule : rules.rules) {
      if (std::ranges::find(rule.languages, language.name) == rule.languages.end()) continue;
      if (rule.kind == RuleKind::kFile) files_.push_back(&rule);
      if (rule.kind == RuleKind::kAttributeOnConstant) by_name_[{rule.kind, ""}].push_back(&rule);
      for (std::string name : rule.names) {
        for (std::size_t at = 0; (at = name.find("::", at)) != std::string::npos; ++at) {
          name.replace(at, 2, ".");
        }
        if (rule.kind == RuleKind::kSyntax) {
          add_node_type(language.grammar(), name, rule);
        } else {
          by_name_[{rule.kind, std::move(name)}].push_back(&rule);
        }
      }
    }
  }

  using Rules = std::vector<const Rule*>;

  void match_node(TSSymbol symbol, Rules& matched) const {
    if (symbol < by_symbol_.size()) append(matched, by_symbol_[symbol]);
  }

  void match(RuleKind kind, std::string_view name, Rules& matched) const {
    find(kind, name, matched);
    if (kind == RuleKind::kImport) {
      find(kind, "*", matched);
      // "os" is also about os.path, "fs" about fs/promises.
      for (std::size_t at = name.find_last_of("./"); at != std::string_view::npos && at > 0;
           at = name.find_last_of("./", at - 1)) {
        find(kind, name.substr(0, at), matched);
      }
    }
    if (kind == RuleKind::kCall || kind == RuleKind::kName) {
      for (std::size_t at = name.rfind('.'); at != std::string_view::npos && at > 0;
           at = name.rfind('.', at - 1)) {
        find(kind, std::string(name.substr(0, at)) + ".*", matched);
      }
    }
  }

  void match_file(std::string_view path, Rules& matched) const {
    for (const Rule* rule : files_) {
      const bool named = std::ranges::any_of(
          rule->names, [&](const std::string& glob) { return glob_match(glob, path); });
      if (named) matched.push_back(rule);
    }
  }

 private:
  using Key = std::pair<RuleKind, std::string>;
  using KeyView = std::pair<RuleKind, std::string_view>;
  struct Less {
    using is_transparent = void;
    static KeyView view(const Key& key) { return {key.first, key.second}; }
    static KeyView view(const KeyView& key) { return key; }
    bool operator()(const auto& a, const auto& b) const { return view(a) < view(b); }
  };

  static void append(Rules& to, const Rules& more) {
    to.insert(to.end(), more.begin(), more.end());
  }

  void find(RuleKind kind, std::string_view name, Rules& matched) const {
    const auto found = by_name_.find(KeyView{kind, name});
    if (found != by_name_.end()) append(matched, found->second);
  }

  // A grammar may have several symbols of one name.
  void add_node_type(const TSLanguage* grammar, std::string_view name, const Rule& rule) {
    for (std::size_t symbol = 0; symbol < by_symbol_.size(); ++symbol) {
      const char* const type = ts_language_symbol_name(grammar, static_cast<TSSymbol>(symbol));
      if (type != nullptr && name == type) by_symbol_[symbol].push_back(&rule);
    }
  }

  std::map<Key, Rules, Less> by_name_;
  std::vector<Rules> by_symbol_;
  Rules files_;
};

std::unique_ptr<Reader> make_reader(Dialect dialect, const Source& source, MentionSink sink) {
  switch (dialect) {
    case Dialect::kPython:
      return make_python_reader(source, std::move(sink));
    case Dialect::kJavaScript:
      return make_javascript_reader(source, std::move(sink));
    case Dialect::kJava:
      return make_java_reader(source, std::move(sink));
    case Dialect::kC:
    case Dialect::kCpp:
      break;
  }
  return make_c_reader(source, std::move(sink));
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
}

// Fills a message's placeholders. Those that hold what the client wrote come last, so that nothing
// in there is filled in turn.
std::string filled(std::string message, const Finding& finding, std::size_t offset) {
  const std::string line = std::to_string(finding.line);
  const std::string column = std::to_string(finding.column);
  const std::string_view place = finding.line == 0 ? "{path}" : "{path}:{line}:{column}";
  replace_all(message, "{place}", place);
  replace_all(message, "{line}", line);
  replace_all(message, "{column}", column);
  replace_all(message, "{offset}", std::to_string(offset));
  replace_all(message, "{rule}", finding.rule);
  replace_all(message, "{reason}", finding.reason);
  std::string out;
  for (std::size_t at = 0; at < message.size();) {
    const std::string_view rest = std::string_view(message).substr(at);
    if (rest.starts_with("{path}")) {
      out += finding.path;
      at += 6;
    } else if (rest.starts_with("{text}")) {
      out += finding.text;
      at += 6;
    } else {
      out += message[at++];
    }
  }
  return out;
}

bool has_extension(std::string_view path, std::span<const std::string_view> extensions) {
  return std::ranges::any_of(extensions, [&](std::string_view e) { return path.ends_with(e); });
}

bool is_source(const Language& language, const File& file, std::string_view entry, bool alone) {
  if (alone || file.path == entry || has_extension(file.path, language.extensions)) return true;
  const std::string_view path = file.path;
  return path.substr(path.rfind('/') + 1).find('.') == std::string_view::npos;
}

// The screening of one submission.
class Screening {
 public:
  Screening(const RuleSet& rules,
            const Language& language,
            const Matcher& matcher,
            Clock::time_point deadline)
      : rules_(rules), language_(language), matcher_(matcher), deadline_(deadline) {}

  Status run(std::span<const File> files, std::string_view entry) {
    for (const File& file : files) {
      Matcher::Rules matched;
      matcher_.match_file(file.path, matched);
      for (const Rule* rule : matched) add_whole(file, *rule);
    }
    std::size_t total = 0;
    for (const File& file : files) {
      if (!is_source(language_, file, entry, files.size() == 1)) continue;
      total += file.content.size();
      if (file.content.size() > rules_.limits.file_bytes || total > rules_.limits.total_bytes) {
        stop_at(file, "too-large", "the sources are larger than what is analysed");
        continue;
      }
      TRY(run_file(file));
    }
    return {};
  }

  Verdict verdict() && {
    std::ranges::sort(verdict_.findings, [](const Finding& a, const Finding& b) {
      return std::tie(a.path, a.line, a.column, a.rule) <
             std::tie(b.path, b.line, b.column, b.rule);
    });
    const auto refuses = [](const Finding& finding) { return finding.action == Action::kRefuse; };
    verdict_.refused = std::ranges::any_of(verdict_.findings, refuses) ||
                       std::ranges::any_of(verdict_.syntax_errors, refuses) ||
                       std::ranges::any_of(verdict_.not_analysed, refuses);
    return std::move(verdict_);
  }

 private:
  Status run_file(const File& file) {
    file_ = &file;
    seen_.clear();
    const Source source(language_.dialect, file.content);
    source_ = &source;
    for (const Obstacle& obstacle : source.obstacles()) {
      stop_at(file, obstacle.rule, obstacle.reason, obstacle.place);
    }
    TRY_ASSIGN(const Arena::End end, parse(language_.grammar(), source.text(), deadline_,
                                           [&](TSNode root) { read_tree(root); }));
    if (end == Arena::End::kOutOfTime) stop_late();
    if (end == Arena::End::kOutOfMemory) {
      stop_at(file, "memory", "parsing took more memory than is given to it");
    }
    return {};
  }

  void stop_late() { stop_at(*file_, "time", "analysing took longer than is given to it"); }

  void read_tree(TSNode root) {
    const auto reader = make_reader(language_.dialect, *source_, [this](const Mention& mention) {
      return add_mention(mention);
    });
    constexpr int kBindings = 2;
    bool complete = true;
    for (int i = 0; i < kBindings && complete; ++i) {
      complete = visit_all(root, [&](TSNode node) { reader->bind(node); });
    }
    if (!complete) return;
    visit_all(root, [&](TSNode node) {
      reader->read(node);
      read_node(node);
    });
  }

  // False where it ended before the last node, which is then on record.
  bool visit_all(TSNode root, const std::function<void(TSNode)>& visit) {
    constexpr std::size_t kNodesPerClock = 64;
    std::size_t nodes = 0;
    bool complete = true;
    walk(root, [&](TSNode node, std::size_t depth) {
      if (depth > rules_.limits.depth) {
        stop_at(*file_, "too-deep", "expressions are nested deeper than what is analysed",
                source_->place(ts_node_start_byte(node)));
        return complete = false;
      }
      if (++nodes % kNodesPerClock == 0 && Clock::now() > deadline_) {
        stop_late();
        return complete = false;
      }
      if (verdict_.findings.size() >= kMaxFindings) {
        stop_at(*file_, "too-many", "there are more findings than are listed");
        return complete = false;
      }
      visit(node);
      return true;
    });
    return complete;
  }

  void read_node(TSNode node) {
    Matcher::Rules matched;
    matcher_.match_node(ts_node_symbol(node), matched);
    for (const Rule* rule : matched) add(*rule, node, node);
    if (is(node, "html_comment")) {
      stop_at(*file_, "html-comment", "a module has no HTML comments and would run this line",
              source_->place(ts_node_start_byte(node)));
    }
    if (ts_node_is_error(node) || ts_node_is_missing(node)) add_syntax_error(node);
  }

  bool add_mention(const Mention& mention) {
    Matcher::Rules matched;
    matcher_.match(mention.kind, mention.name, matched);
    for (const Rule* rule : matched) add(*rule, mention.at, mention.whole);
    return !matched.empty();
  }

  void add(const Rule& rule, TSNode at, TSNode whole) {
    // Nested nodes can say the same twice: a.b in a.b.c.
    const std::uint32_t begin = ts_node_start_byte(at);
    if (verdict_.findings.size() == kMaxFindings || !seen_.emplace(&rule, begin).second) return;
    Finding finding = finding_at(rule.id, rule.reason, at, whole);
    finding.action = rule.action;
    finding.message = filled(rule.message.empty() ? rules_.message : rule.message, finding,
                             source_->place(begin).offset);
    verdict_.findings.push_back(std::move(finding));
  }

  void add_whole(const File& file, const Rule& rule) {
    if (verdict_.findings.size() == kMaxFindings) return;
    Finding finding{.rule = rule.id,
                    .path = file.path,
                    .reason = rule.reason,
                    .text = "",
                    .message = "",
                    .action = rule.action};
    finding.message = filled(rule.message.empty() ? rules_.message : rule.message, finding, 0);
    verdict_.findings.push_back(std::move(finding));
  }

  void add_syntax_error(TSNode node) {
    if (verdict_.syntax_errors.size() == kMaxFindings) return;
    const bool missing = ts_node_is_missing(node);
    Finding finding = finding_at(
        "syntax", missing ? quote(type_of(node)) + " is missing" : "the syntax is not valid", node,
        node);
    finding.action = rules_.syntax_error;
    finding.message = filled(rules_.syntax_error_message, finding,
                             source_->place(ts_node_start_byte(node)).offset);
    verdict_.syntax_errors.push_back(std::move(finding));
  }

  void stop_at(const File& file, std::string_view rule, std::string reason, Place place = {}) {
    if (verdict_.not_analysed.size() == kMaxFindings) return;
    Finding finding{.rule = std::string(rule),
                    .path = file.path,
                    .line = place.line,
                    .column = place.column,
                    .reason = std::move(reason),
                    .text = "",
                    .message = "",
                    .action = rules_.not_analysed};
    finding.message = filled("{place}: not analysed: {reason}", finding, place.offset);
    verdict_.not_analysed.push_back(std::move(finding));
  }

  Finding finding_at(std::string rule, std::string reason, TSNode at, TSNode whole) const {
    const Place place = source_->place(ts_node_start_byte(at));
    return {.rule = std::move(rule),
            .path = file_->path,
            .line = place.line,
            .column = place.column,
            .reason = std::move(reason),
            .text = source_->quoted(ts_node_start_byte(whole), ts_node_end_byte(whole)),
            .message = ""};
  }

  const RuleSet& rules_;
  const Language& language_;
  const Matcher& matcher_;
  Clock::time_point deadline_;
  Verdict verdict_;
  // Of the file that is being read.
  const File* file_ = nullptr;
  const Source* source_ = nullptr;
  std::set<std::pair<const Rule*, std::uint32_t>> seen_;
};

// No grammar: nothing can be said, which is not the same as nothing to be said.
Verdict without_grammar(const RuleSet& rules, std::string_view language) {
  Verdict verdict;
  const std::string reason = "there is no grammar for " + quote(language);
  verdict.not_analysed.push_back({.rule = "no-grammar",
                                  .path = "",
                                  .reason = reason,
                                  .text = "",
                                  .message = "not analysed: " + reason,
                                  .action = rules.not_analysed});
  verdict.refused = rules.not_analysed == Action::kRefuse;
  return verdict;
}

}  // namespace

std::string Verdict::refusal() const {
  // A source that does not parse, or not as what will run, says nothing else for certain.
  for (const std::vector<Finding>* list : {&not_analysed, &syntax_errors, &findings}) {
    for (const Finding& finding : *list) {
      if (finding.action == Action::kRefuse) return finding.message;
    }
  }
  return {};
}

struct Screener::Prepared {
  explicit Prepared(RuleSet given) : rules(std::move(given)) {
    for (const Language& language : languages()) matchers.try_emplace(&language, rules, language);
  }
  RuleSet rules;  // which matchers point into
  std::map<const Language*, Matcher> matchers;
};

Screener::Screener(RuleSet rules) : prepared_(std::make_unique<const Prepared>(std::move(rules))) {}
Screener::Screener(Screener&&) noexcept = default;
Screener& Screener::operator=(Screener&&) noexcept = default;
Screener::~Screener() = default;

Result<Verdict> Screener::screen(std::string_view language,
                                 std::span<const File> files,
                                 std::string_view entry) const {
  const RuleSet& rules = prepared_->rules;
  const Language* const known = find_language(language);
  if (known == nullptr) return without_grammar(rules, language);
  const auto time = std::chrono::duration_cast<Clock::duration>(rules.limits.time);
  Screening screening(rules, *known, prepared_->matchers.at(known), Clock::now() + time);
  Status done;
  TRY(run_with_parser_stack([&] { done = screening.run(files, entry); }));
  TRY(done);
  return std::move(screening).verdict();
}

}  // namespace belljar::screen
