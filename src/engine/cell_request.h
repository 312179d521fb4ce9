// CellRequest: a planned stage as what the warden is asked for. Pure.
#pragma once

#include <string>
#include <vector>

#include "cell/spec.h"
#include "model/policy.h"
#include "model/submission.h"
#include "runtime/stages.h"

namespace belljar::engine {

cell::CellSpec spec_of(const runtime::StagePlan& plan, const Policy& policy);
// The files of /box as they cross into the cell.
std::string bundle_of(const std::vector<File>& files);

}  // namespace belljar::engine
