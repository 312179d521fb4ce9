// Submission: what a client asks for. Plain values; nothing here is trusted.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "model/policy.h"

namespace belljar {

struct File {
  std::string path;  // relative to /box, '/' between components; see check_path
  std::string content;
  bool executable = false;

  bool operator==(const File&) const = default;
};

struct Submission {
  std::string language;  // a runtime's name, or empty: by the entry's extension
  std::vector<File> files;
  std::string entry;  // which file is run or compiled first; empty: the only or usual one
  std::vector<std::string> args;
  std::vector<std::string> env;        // "NAME=value"
  LimitOverrides limits;               // of the run stage
  std::vector<std::string> artifacts;  // globs of files in /box to bring back, see base/glob.h
};

inline constexpr std::size_t kMaxFiles = 4096;
inline constexpr std::size_t kMaxPathBytes = 1024;
inline constexpr std::size_t kMaxNameBytes = 255;  // of one component: NAME_MAX
inline constexpr std::size_t kMaxPathDepth = 32;
inline constexpr std::size_t kMaxArgs = 1024;                // and as many environment variables
inline constexpr std::size_t kMaxArgBytes = 128 * kKiB - 1;  // MAX_ARG_STRLEN, execve(2)
inline constexpr std::size_t kMaxArgsTotal = 1 * kMiB;       // arguments and environment together
inline constexpr std::size_t kMaxArtifactGlobs = 64;

// A path that stays in /box: relative, no empty, "." or ".." component, valid UTF-8 without NUL or
// control character, bounded length and depth. kInvalid says which rule was broken.
Status check_path(std::string_view path);
// The same of a file that a program has made, but for UTF-8: to the kernel a name is bytes.
Status check_artifact_path(std::string_view path);
// Everything that can be said against a submission before any policy is known: paths, duplicates,
// a file used as a directory, argument and environment sizes, artifact globs.
Status check_submission(const Submission& submission);

}  // namespace belljar
