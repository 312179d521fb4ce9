// Artifact files: what a program left in its cell, written to the caller's disk.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "model/submission.h"

namespace belljar::app {

enum class Replace : unsigned char { kNo, kYes };

// Writes the files beneath `directory`, which is made where it is missing. The names come from a
// hostile program: each is checked, no link on the way is followed and nothing outside `directory`
// is touched. A file that is already there stays as it is and is an error, or with kYes is replaced
// by a new one. The first error ends it; what was written before stays.
Status write_artifacts(const std::string& directory,
                       std::span<const File> artifacts,
                       Replace replace);

}  // namespace belljar::app
