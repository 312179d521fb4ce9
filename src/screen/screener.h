// Screening: what a submission's sources say that they will do, held against rules, before a cell
// is made. Advisory and never the wall: it can be got around, and nothing is loosened because it
// found nothing (docs/screening.md).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/submission.h"
#include "screen/rules.h"

namespace belljar::screen {

struct Finding {
  std::string rule;        // its id; "syntax" for a syntax error
  std::string path;        // of the file
  std::size_t line = 0;    // from 1; 0 where it is about the file as a whole
  std::size_t column = 0;  // from 1, in characters
  std::string reason;
  std::string text;     // the source that matched, cut where it is long
  std::string message;  // for the client, in the words of the rule set
  Action action = Action::kWarn;

  bool operator==(const Finding&) const = default;
};

struct Verdict {
  bool refused = false;  // do not run it; refusal() says why
  std::vector<Finding> findings;
  std::vector<Finding> syntax_errors;
  // Sources that could not be analysed, or not to the end: never to be taken for clean. The rule
  // is one of "not-utf8", "nul", "encoding", "too-large", "too-deep", "too-many", "time", "memory",
  // "html-comment", "no-grammar".
  std::vector<Finding> not_analysed;

  // The message of the first reason to refuse, in the order of the text; empty where not refused.
  std::string refusal() const;
};

inline constexpr std::size_t kMaxFindings = 100;  // of each list; what is above is not looked for

// A set of rules, made ready once for all that is held against it. Any thread may use it.
class Screener {
 public:
  explicit Screener(RuleSet rules);
  Screener(Screener&&) noexcept;
  Screener& operator=(Screener&&) noexcept;
  ~Screener();

  // The files that are screened are the entry, those with an extension of the language, those
  // without any, and a file that is alone. Rules of kind file look at every path. Exactly `files`
  // have to run: the verdict is about these bytes. An Error means that this host could not do it.
  [[nodiscard]] Result<Verdict> screen(std::string_view language,
                                       std::span<const File> files,
                                       std::string_view entry = {}) const;

 private:
  struct Prepared;
  std::unique_ptr<const Prepared> prepared_;
};

}  // namespace belljar::screen
