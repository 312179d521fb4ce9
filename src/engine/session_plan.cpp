#include "engine/session_plan.h"

#include <algorithm>

#include "engine/session_driver.h"

namespace belljar::engine {

Result<PlannedSession> plan_session(const runtime::Catalog& catalog,
                                    const Policy& policy,
                                    const Submission& submission) {
  TRY_ASSIGN(const runtime::Manifest manifest, catalog.by_name(submission.language));
  if (manifest.session.empty()) {
    return fail(Code::kInvalid, "language: there are no sessions of " + manifest.title);
  }
  TRY_ASSIGN(const SessionDriver driver, session_driver(manifest.session));
  TRY_ASSIGN(const runtime::Toolchain toolchain, catalog.toolchain(manifest));
  PlannedSession made;
  made.submission = submission;
  const auto add = [&](std::string_view path, std::string_view content) {
    made.submission.files.push_back(
        {.path = std::string(path), .content = std::string(content), .executable = false});
  };
  add(kSessionDriverPath, driver.text);
  if (!driver.beside.empty()) add(kBesideDriverPath, driver.beside);
  made.submission.entry = kSessionDriverPath;
  made.submission.language = kDriverLanguage;
  if (!driver.word.empty()) {
    made.submission.args = {std::string(driver.word),
                            toolchain.programs.at(manifest.programs.front().name)};
  }
  TRY_ASSIGN(made.plan, plan_submission(catalog, policy, made.submission));
  std::vector<std::string>& mounts = made.plan.stages.run.mounts;
  for (const std::string& mount : toolchain.mounts) {
    if (std::ranges::find(mounts, mount) == mounts.end()) mounts.push_back(mount);
  }
  made.plan.manifest = manifest;
  return made;
}

}  // namespace belljar::engine
