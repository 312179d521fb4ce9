#include "engine/precompile.h"

#include <algorithm>

#include "base/bundle.h"
#include "base/text.h"
#include "engine/make_rule.h"
#include "engine/stage_io.h"
#include "engine/toolchain_version.h"
#include "engine/verdict.h"
#include "runtime/stages.h"

namespace belljar::engine {
namespace {

struct Ran {
  StageOutcome stage;
  std::string artifacts;
};

Result<Ran> run_cell(warden::Client& warden,
                     const runtime::StagePlan& plan,
                     const std::string& source) {
  cell::CellSpec spec;
  spec.argv = plan.argv;
  spec.env = plan.env;
  spec.mounts = plan.mounts;
  spec.artifacts = plan.keep;
  spec.limits = plan.limits;
  spec.loopback = false;
  std::string bundle;
  append_file(bundle, {.path = runtime::kHeaderSource, .content = source, .executable = false});
  append_end(bundle, false);
  Observer silent;
  StageIo io(warden, plan.limits, OnOutputLimit::kKill);
  TRY_ASSIGN(StageResult result, io.run(StageKind::kCompile, spec, bundle, Input{}, -1, silent));
  Ran ran{.stage = judge(StageKind::kCompile, result, plan.limits), .artifacts = {}};
  if (ran.stage.status != RunStatus::kOk) {
    const std::string_view said = ran.stage.err.data;
    return fail(Code::kUnavailable,
                ran.stage.reason + ": " + escape_for_terminal(cut_utf8(said, 300)));
  }
  ran.artifacts = std::move(result.artifacts);
  return ran;
}

// The one file that came out.
Result<std::string> output_of(const Ran& ran) {
  TRY_ASSIGN(const Bundle bundle, parse_bundle(ran.artifacts));
  if (bundle.more || bundle.files.size() != 1 ||
      bundle.files.front().path != runtime::kHeaderOutput) {
    return fail(Code::kUnavailable, "the compiler made no precompiled header, or too large a one");
  }
  return std::string(bundle.files.front().content);
}

Status precompile_one(warden::Client& warden,
                      const runtime::Manifest& manifest,
                      const runtime::Toolchain& toolchain,
                      const std::string& name,
                      MadeHeaders& made) {
  const std::string source = "#include <" + name + ">\n";
  TRY_ASSIGN(const runtime::StagePlan list,
             runtime::plan_header_list(manifest, toolchain, Limits{}));
  TRY_ASSIGN(const Ran listed, run_cell(warden, list, source));
  TRY_ASSIGN(const std::vector<std::string> files, parse_make_rule(listed.stage.out.data));
  const auto header = std::ranges::find_if(
      files, [&name](const std::string& file) { return file.ends_with("/" + name); });
  if (header == files.end()) return fail(Code::kUnavailable, "the compiler does not name its file");
  // Before they are read again: one that changes meanwhile is not as recorded.
  std::map<std::string, std::string> stamps;
  for (const std::string& file : files) {
    // The source of our own is the only one that is not the host's.
    if (!file.ends_with("/" + std::string(runtime::kHeaderSource))) stamps[file] = file_stamp(file);
  }
  TRY_ASSIGN(const runtime::StagePlan plan,
             runtime::plan_header(manifest, toolchain, Limits{}, *header));
  TRY_ASSIGN(const Ran ran, run_cell(warden, plan, source));
  TRY_ASSIGN(std::string output, output_of(ran));
  made.files.emplace(*header, std::move(output));
  made.sources.merge(stamps);
  return {};
}

}  // namespace

Result<MadeHeaders> precompile(warden::Client& warden,
                               const runtime::Manifest& manifest,
                               const runtime::Toolchain& toolchain) {
  MadeHeaders made;
  Status last;
  for (const std::string& name : manifest.precompile->headers) {
    const Status one = precompile_one(warden, manifest, toolchain, name, made);
    if (!one) last = std::unexpected(one.error().context(name));
  }
  if (made.files.empty()) TRY(last);
  return made;
}

}  // namespace belljar::engine
