// Stages: what has to be run for a submission, in order. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/outcome.h"
#include "model/submission.h"
#include "runtime/manifest.h"
#include "runtime/toolchain.h"

namespace belljar::runtime {

struct StagePlan {
  StageKind kind = StageKind::kRun;
  std::vector<std::string> argv;    // argv[0]: absolute path in the cell
  std::vector<std::string> env;     // the whole environment, base included
  std::vector<std::string> mounts;  // host directories, read-only
  std::vector<std::string> keep;    // globs to bring back for the next stage
  // The interpreter that can be up already; the words and the environment without what the
  // submission says.
  std::optional<Warm> warm;
  std::vector<std::string> warm_argv, warm_env;
  std::vector<std::string> preload;  // what that interpreter imports ahead for this submission
  std::string headers;               // of the host, precompiled: see cell::CellSpec
  Limits limits;                     // policy defaults < manifest < submission (run stage only)
};

struct Stages {
  std::string entry;  // the file that was chosen
  std::optional<StagePlan> compile;
  StagePlan run;
};

// The entry file: as asked, the only file, the only file of the language, or one of the manifest's
// usual names, at the top first. Where the manifest makes no difference between the candidates,
// such as C compiling all its sources, it is the first of them. kInvalid lists the candidates when
// it is not clear.
Result<std::string> choose_entry(const Manifest& manifest, const Submission& submission);

// Environment of every cell: PATH, HOME=/box, LANG=C.UTF-8, TMPDIR=/tmp, USER, TZ; then the
// manifest's, then (run stage only) the submission's.
Result<Stages> plan_stages(const Manifest& manifest,
                           const Toolchain& toolchain,
                           const Submission& submission,
                           const Limits& defaults);

// How headers are precompiled; both run where a compile stage does. The first prints, as a rule of
// make, which files kHeaderSource includes; the second makes kHeaderOutput of `header`, a path.
inline constexpr std::string_view kHeaderSource = "header.source";  // in /box
inline constexpr std::string_view kHeaderOutput = "header.gch";     // in /box
Result<StagePlan> plan_header_list(const Manifest& manifest,
                                   const Toolchain& toolchain,
                                   const Limits& defaults);
Result<StagePlan> plan_header(const Manifest& manifest,
                              const Toolchain& toolchain,
                              const Limits& defaults,
                              const std::string& header);

// The argv that prints the toolchain's version.
Result<std::vector<std::string>> plan_version(const Manifest& manifest, const Toolchain& toolchain);

}  // namespace belljar::runtime
