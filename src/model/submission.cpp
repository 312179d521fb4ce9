#include "model/submission.h"

#include <algorithm>
#include <unordered_set>

#include "base/glob.h"
#include "base/text.h"

namespace belljar {
namespace {

std::unexpected<Error> bad_path(std::string_view path, std::string_view rule) {
  return fail(Code::kInvalid, "path " + quote(path) + ": " + std::string(rule));
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

Status check_component(std::string_view path, std::string_view component) {
  if (component.empty()) return bad_path(path, "must not have an empty component");
  if (component == "." || component == "..") {
    return bad_path(path, "must not have a component '.' or '..'");
  }
  if (component.size() > kMaxNameBytes) {
    return bad_path(path,
                    "has a component of more than " + std::to_string(kMaxNameBytes) + " bytes");
  }
  return {};
}

Status check_files(const std::vector<File>& files) {
  if (files.size() > kMaxFiles) {
    return fail(Code::kInvalid, "files: " + std::to_string(files.size()) +
                                    " are over the maximum of " + std::to_string(kMaxFiles));
  }
  std::unordered_set<std::string_view> paths;
  for (const File& file : files) {
    TRY(check_path(file.path));
    if (!paths.insert(file.path).second) return bad_path(file.path, "is given twice");
  }
  for (const File& file : files) {
    const std::string_view path = file.path;
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      if (paths.contains(path.substr(0, slash))) {
        return bad_path(path.substr(0, slash), "is a file and also a directory of " + quote(path));
      }
    }
  }
  return {};
}

// Arguments, and the environment by the same rules: execve(2) takes both as strings of bytes.
Status check_strings(std::string_view field, const std::vector<std::string>& strings) {
  if (strings.size() > kMaxArgs) {
    return fail(Code::kInvalid, std::string(field) + ": " + std::to_string(strings.size()) +
                                    " are over the maximum of " + std::to_string(kMaxArgs));
  }
  for (std::size_t i = 0; i < strings.size(); ++i) {
    const std::string place = std::string(field) + "[" + std::to_string(i) + "]: ";
    if (has_nul(strings[i])) return fail(Code::kInvalid, place + "must not have a NUL byte");
    if (strings[i].size() > kMaxArgBytes) {
      return fail(Code::kInvalid,
                  place + "is longer than " + std::to_string(kMaxArgBytes) + " bytes");
    }
  }
  return {};
}

Status check_env(const std::vector<std::string>& env) {
  TRY(check_strings("env", env));
  for (const std::string& entry : env) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Code::kInvalid, "env: " + quote(entry) + " is not NAME=value");
    }
  }
  return {};
}

// What execve(2) copies: each string with its NUL.
std::size_t bytes_of(const std::vector<std::string>& strings) {
  std::size_t bytes = 0;
  for (const std::string& string : strings) bytes += string.size() + 1;
  return bytes;
}

Status check_artifacts(const std::vector<std::string>& globs) {
  if (globs.size() > kMaxArtifactGlobs) {
    return fail(Code::kInvalid, "artifacts: " + std::to_string(globs.size()) +
                                    " patterns are over the maximum of " +
                                    std::to_string(kMaxArtifactGlobs));
  }
  for (const std::string& glob : globs) {
    const std::string place = "artifacts: " + quote(glob) + " ";
    if (glob.empty() || has_nul(glob)) {
      return fail(Code::kInvalid, place + "must be a pattern without NUL bytes");
    }
    if (glob.size() > kMaxGlobLength) {
      return fail(Code::kInvalid,
                  place + "is longer than " + std::to_string(kMaxGlobLength) + " bytes");
    }
    if (glob.front() == '/') {
      return fail(Code::kInvalid, place + "must be relative: patterns match inside /box");
    }
  }
  return {};
}

}  // namespace

Status check_path(std::string_view path) {
  if (!is_valid_utf8(path)) return bad_path(path, "must be valid UTF-8");
  return check_artifact_path(path);
}

Status check_artifact_path(std::string_view path) {
  if (path.empty()) return bad_path(path, "must not be empty");
  if (path.size() > kMaxPathBytes) {
    return bad_path(path, "is longer than " + std::to_string(kMaxPathBytes) + " bytes");
  }
  if (has_control_character(path)) return bad_path(path, "must not have control characters");
  if (path.front() == '/') return bad_path(path, "must be relative");
  if (path.back() == '/') return bad_path(path, "must not end with a slash");

  const auto slashes = static_cast<std::size_t>(std::ranges::count(path, '/'));
  if (slashes + 1 > kMaxPathDepth) {
    return bad_path(path, "has more than " + std::to_string(kMaxPathDepth) + " components");
  }
  std::string_view rest = path;
  while (true) {
    const std::size_t slash = rest.find('/');
    TRY(check_component(path, rest.substr(0, slash)));
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

Status check_submission(const Submission& submission) {
  TRY(check_files(submission.files));
  if (!submission.entry.empty()) TRY(check_path(submission.entry));
  TRY(check_strings("args", submission.args));
  TRY(check_env(submission.env));
  if (bytes_of(submission.args) + bytes_of(submission.env) > kMaxArgsTotal) {
    return fail(Code::kInvalid,
                "args and env: together longer than " + std::to_string(kMaxArgsTotal) + " bytes");
  }
  return check_artifacts(submission.artifacts);
}

}  // namespace belljar
