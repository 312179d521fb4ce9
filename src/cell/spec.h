// CellSpec: what a client asks the warden to run in one cell. A value; nothing in it is trusted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bundle.h"
#include "base/result.h"
#include "model/interpreter.h"
#include "model/policy.h"

namespace belljar::cell {

struct CellSpec {
  std::vector<std::string> argv;  // argv[0]: absolute path in the cell
  std::vector<std::string> env;
  std::vector<std::string> mounts;  // host directories besides the base system, read-only
  // A directory of the host with "usr/include/x.h.gch" and the like, which lies over the base
  // system and the mounts, so that a compiler finds it beside the header; empty, or gone: none.
  std::string headers;
  std::vector<std::string> artifacts;  // globs in /box to bring back
  std::string profile = "default";     // see cell/seccomp.h
  Limits limits;
  bool writable_box = true;
  bool writable_tmp = true;
  bool loopback = true;
  bool terminal = false;               // stdin is a pseudo-terminal: make it the controlling one
  bool program_by_descriptor = false;  // run a passed descriptor instead of argv[0]
  WallSet without;
  WallSet require;
  // A warm start: the words that the argv of every such run begins with, the interpreter first; how
  // it waits for its run, what it imports ahead, and its environment before the submission has a
  // say. Empty: a cold one.
  std::vector<std::string> interpreter;
  InterpreterKind interpreter_kind = InterpreterKind::kCpython;
  std::vector<std::string> preload;
  std::vector<std::string> interpreter_env;

  bool operator==(const CellSpec&) const = default;
};

// Whether a directory of the host can be the headers of a spec: a plain absolute path without what
// has a meaning in an overlay's options, and not in /tmp, which the cell's root hides while it is
// made.
bool can_show(std::string_view headers);

// The spec and, behind it, the bundle of the files for /box, as they stand in one sealed memfd.
std::string encode(const CellSpec& spec, std::string_view bundle);

struct DecodedSpec {
  CellSpec spec;
  std::string_view bundle;  // a view into the decoded bytes
};
// Total over any bytes.
Result<DecodedSpec> decode(std::string_view bytes);

// Everything the warden demands of a spec whoever sent it: limits within `maximum`, sizes, absolute
// paths without "..", file paths that stay in /box. kInvalid or kDenied names the field.
Status check_spec(const CellSpec& spec, const Bundle& files, const Limits& maximum);

}  // namespace belljar::cell
