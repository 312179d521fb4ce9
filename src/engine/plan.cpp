#include "engine/plan.h"

#include "engine/guard.h"

namespace belljar::engine {
namespace {

// By name, by the entry's extension, or by the only language there is among the files.
Result<runtime::Manifest> choose_manifest(const runtime::Catalog& catalog,
                                          const Submission& submission) {
  if (!submission.language.empty()) return catalog.by_name(submission.language);
  if (!submission.entry.empty()) return catalog.by_file(submission.entry);
  if (submission.files.size() == 1) return catalog.by_file(submission.files.front().path);
  std::optional<runtime::Manifest> found;
  for (const File& file : submission.files) {
    Result<runtime::Manifest> manifest = catalog.by_file(file.path);
    if (!manifest) continue;
    if (found && found->name != manifest->name) {
      return fail(Code::kInvalid, "language: the files are " + found->title + " and " +
                                      manifest->title + ": name the language or the entry file");
    }
    found = *std::move(manifest);
  }
  if (!found) return fail(Code::kInvalid, "language: no file has a known extension: name it");
  return *std::move(found);
}

}  // namespace

Result<Plan> plan_submission(const runtime::Catalog& catalog,
                             const Policy& policy,
                             const Submission& submission) {
  TRY(check_submission(submission));
  Plan plan;
  TRY_ASSIGN(plan.manifest, choose_manifest(catalog, submission));
  TRY_ASSIGN(plan.toolchain, catalog.toolchain(plan.manifest));
  TRY_ASSIGN(plan.stages,
             runtime::plan_stages(plan.manifest, plan.toolchain, submission, policy.defaults));
  TRY(apply_guard(policy, submission, plan));
  TRY(check_within(plan.stages.run.limits, policy.maximum));
  return plan;
}

}  // namespace belljar::engine
