#include "engine/cell_request.h"

#include "base/bundle.h"

namespace belljar::engine {

std::string bundle_of(const std::vector<File>& files) {
  std::string bundle;
  for (const File& file : files) {
    append_file(bundle,
                {.path = file.path, .content = file.content, .executable = file.executable});
  }
  append_end(bundle, false);
  return bundle;
}

cell::CellSpec spec_of(const runtime::StagePlan& plan, const Policy& policy) {
  cell::CellSpec spec;
  spec.argv = plan.argv;
  spec.env = plan.env;
  spec.mounts = plan.mounts;
  spec.headers = plan.headers;
  spec.artifacts = plan.keep;
  spec.limits = plan.limits;
  // A compiler always needs room for its results.
  spec.writable_box = policy.writable_box || plan.kind == StageKind::kCompile;
  spec.writable_tmp = policy.writable_tmp || plan.kind == StageKind::kCompile;
  spec.loopback = policy.network == Network::kLoopback;
  if (plan.warm && policy.warm) {
    spec.interpreter = plan.warm_argv;
    spec.interpreter_kind = plan.warm->kind;
    spec.preload = plan.preload;
    spec.interpreter_env = plan.warm_env;
  }
  spec.without = policy.without;
  spec.require = policy.require;
  return spec;
}

}  // namespace belljar::engine
