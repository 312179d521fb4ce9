#include "engine/engine.h"

#include "base/bundle.h"
#include "base/sys.h"
#include "engine/cell_request.h"
#include "engine/plan.h"
#include "engine/stage_io.h"
#include "engine/toolchain_version.h"
#include "engine/verdict.h"
#include "runtime/toolchain.h"

namespace belljar::engine {
namespace {

// What a stage brought back; it came out of a cell, so its paths are checked like a client's. What
// is compiled goes into the next cell, by the rules for what goes into one.
Result<std::vector<File>> files_of(StageKind kind, std::string_view bytes, bool& more) {
  const auto check = kind == StageKind::kCompile ? check_path : check_artifact_path;
  std::vector<File> files;
  if (bytes.empty()) return files;
  TRY_ASSIGN(const Bundle bundle, parse_bundle(bytes));
  more = bundle.more;
  for (const BundleFile& file : bundle.files) {
    if (!check(file.path)) {
      more = true;
      continue;
    }
    files.push_back({.path = std::string(file.path),
                     .content = std::string(file.content),
                     .executable = file.executable});
  }
  return files;
}

// The compiler's results take the place of submitted files of the same name.
void merge(std::vector<File>& files, std::vector<File> made) {
  for (File& file : made) {
    std::erase_if(files, [&file](const File& old) { return old.path == file.path; });
    files.push_back(std::move(file));
  }
}

// Nothing of a submission has a say here: the answer is remembered for all.
Result<runtime::StagePlan> version_stage(const runtime::Manifest& manifest,
                                         const runtime::Toolchain& toolchain,
                                         const Limits& defaults) {
  runtime::StagePlan plan;
  TRY_ASSIGN(plan.argv, runtime::plan_version(manifest, toolchain));
  plan.env = {"PATH=/usr/bin:/bin", "HOME=/box", "LANG=C.UTF-8", "TMPDIR=/tmp"};
  plan.env.insert(plan.env.end(), manifest.run.env.begin(), manifest.run.env.end());
  plan.mounts = toolchain.mounts;
  plan.limits = apply(defaults, manifest.run.limits);
  return plan;
}

// What the observer would have been told had it been compiled now.
void tell(const StageOutcome& stage, Observer& observer) {
  observer.on_stage(stage.kind);
  if (!stage.out.data.empty()) observer.on_output(stage.kind, OutputStream::kOut, stage.out.data);
  if (!stage.err.data.empty()) observer.on_output(stage.kind, OutputStream::kErr, stage.err.data);
}

}  // namespace

Result<Outcome> Engine::execute(const Submission& submission,
                                const Input& input,
                                Observer& observer) {
  TRY_ASSIGN(const Prepared prepared, prepare(submission, input, observer));
  if (!prepared.runnable) return prepared.outcome;
  return run(prepared, input, observer);
}

Result<Prepared> Engine::prepare(const Submission& submission,
                                 const Input& input,
                                 Observer& observer) {
  TRY_ASSIGN(Plan plan, plan_submission(catalog_, policy_, submission));
  const runtime::Manifest& manifest = plan.manifest;

  Prepared prepared;
  prepared.submission = submission;
  merge(prepared.submission.files, std::move(plan.files));
  prepared.stages = std::move(plan.stages);
  prepared.stages.run.keep = submission.artifacts;
  Outcome& outcome = prepared.outcome;
  outcome.language = manifest.name;
  outcome.policy = policy_.name;

  TRY_ASSIGN(outcome.toolchain, version_of(manifest, plan.toolchain));
  TRY_ASSIGN(outcome.host, warden_.host());
  if (!prepared.stages.compile) {
    prepared.runnable = true;
    return prepared;
  }
  const Input nothing{.kind = Input::Kind::kEmpty,
                      .bytes = {},
                      .fd = -1,
                      .warm = input.warm,
                      .control_fd = input.control_fd,
                      .signal_fd = input.signal_fd};
  TRY_ASSIGN(Compiled compiled, compile(prepared, manifest, plan.toolchain, nothing, observer));
  prepared.runnable = compiled.stage.status == RunStatus::kOk;
  outcome.status = compiled.stage.status;
  outcome.reason = compiled.stage.reason;
  outcome.stages.push_back(std::move(compiled.stage));
  merge(prepared.submission.files, std::move(compiled.files));
  return prepared;
}

Result<Compiled> Engine::compile(const Prepared& prepared,
                                 const runtime::Manifest& manifest,
                                 const runtime::Toolchain& toolchain,
                                 const Input& input,
                                 Observer& observer) {
  runtime::StagePlan plan = *prepared.stages.compile;
  const std::vector<File>& files = prepared.submission.files;
  std::optional<CompileKey> key;
  if (reuse_.cache != nullptr && policy_.compile_cache) {
    const Nanoseconds since = sys::now();
    key = compile_key({.tenant = reuse_.tenant,
                       .spec = cell::encode(spec_of(plan, policy_), bundle_of(files)),
                       .policy = policy_,
                       .toolchain = toolchain,
                       .version = prepared.outcome.toolchain,
                       .host = prepared.outcome.host});
    if (const auto found = reuse_.cache->find(*key)) {
      Compiled compiled = *found;
      compiled.stage.cached = true;
      compiled.stage.phases = {.collect = sys::now() - since};
      tell(compiled.stage, observer);
      return compiled;
    }
  }
  if (reuse_.headers != nullptr) plan.headers = reuse_.headers->find(manifest, toolchain);
  Compiled compiled;
  bool more = false;
  TRY_ASSIGN(compiled.stage,
             run_stage(plan, prepared.submission, input, observer, compiled.files, more));
  if (compiled.stage.status == RunStatus::kOk && more) {
    compiled.stage.status = RunStatus::kDiskLimit;
    compiled.stage.reason =
        "what was compiled is over " + format_bytes(compiled.stage.limits.artifacts);
  }
  if (key && may_keep(compiled, files)) reuse_.cache->keep(*key, compiled);
  return compiled;
}

Result<Outcome> Engine::run(const Prepared& prepared, const Input& input, Observer& observer) {
  Outcome outcome = prepared.outcome;
  TRY_ASSIGN(StageOutcome stage,
             run_stage(prepared.stages.run, prepared.submission, input, observer, outcome.artifacts,
                       outcome.artifacts_truncated));
  outcome.status = stage.status;
  outcome.reason = stage.reason;
  outcome.stages.push_back(std::move(stage));
  return outcome;
}

Status Engine::expect(const Submission& submission) {
  TRY_ASSIGN(const Plan plan, plan_submission(catalog_, policy_, submission));
  if (plan.stages.compile) TRY(warden_.prepare(0, spec_of(*plan.stages.compile, policy_)));
  return warden_.prepare(0, spec_of(plan.stages.run, policy_));
}

Result<StageOutcome> Engine::run_stage(const runtime::StagePlan& plan,
                                       const Submission& submission,
                                       const Input& input,
                                       Observer& observer,
                                       std::vector<File>& collected,
                                       bool& more) {
  observer.on_stage(plan.kind);
  cell::CellSpec spec = spec_of(plan, policy_);
  spec.terminal = input.kind == Input::Kind::kTerminal;
  StageIo io(warden_, plan.limits, policy_.on_output_limit);
  TRY_ASSIGN(const StageResult result,
             io.run(plan.kind, spec, bundle_of(submission.files), input, -1, observer));
  TRY_ASSIGN(collected, files_of(plan.kind, result.artifacts, more));
  more = more || result.report.artifacts_more != 0;
  return judge(plan.kind, result, plan.limits);
}

Result<std::string> Engine::version_of(const runtime::Manifest& manifest,
                                       const runtime::Toolchain& toolchain) {
  VersionCache one_time;
  VersionCache& cache = reuse_.versions != nullptr ? *reuse_.versions : one_time;
  const std::string key = VersionCache::key(manifest.name, toolchain);
  if (std::optional<std::string> known = cache.find(key)) return *std::move(known);
  // Asked inside a cell like everything else that is run; a toolchain that cannot tell is no
  // reason not to run the program.
  Submission nothing;
  TRY_ASSIGN(const runtime::StagePlan plan, version_stage(manifest, toolchain, policy_.defaults));
  Observer silent;
  std::vector<File> none;
  bool more = false;
  TRY_ASSIGN(const StageOutcome stage, run_stage(plan, nothing, Input{}, silent, none, more));
  const std::string& text = stage.out.data.empty() ? stage.err.data : stage.out.data;
  std::string version = text.substr(0, text.find('\n'));
  if (stage.status == RunStatus::kOk) cache.store(key, version);
  return version;
}

}  // namespace belljar::engine
