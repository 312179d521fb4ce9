#include "engine/archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/bundle.h"
#include "base/sys.h"
#include "base/text.h"
#include "engine/stage_io.h"
#include "engine/verdict.h"

namespace belljar::engine {
namespace {

constexpr std::size_t kMostImageBytes = 256 * kMiB;
constexpr std::array<std::string_view, 4> kExtensions{".zip", ".tar", ".tar.gz", ".tgz"};

// A bomb ends at one of these: the unpacker is a program that nobody trusts, like any other.
Limits unpack_limits() {
  Limits limits;
  limits.wall = std::chrono::seconds(20);
  limits.cpu = std::chrono::seconds(10);
  limits.memory = 256 * kMiB;
  limits.processes = 4;
  limits.output = 64 * kMiB;
  return limits;
}

}  // namespace

bool looks_like_archive(std::string_view path) {
  return std::ranges::any_of(kExtensions,
                             [path](std::string_view end) { return path.ends_with(end); });
}

Result<std::vector<File>> unpack(warden::Client& warden, std::string_view archive) {
  // A copy: a cell shares no inode with the host, and Landlock knows no path of this file.
  TRY_ASSIGN(const std::string image, sys::read_file("/proc/self/exe", kMostImageBytes));
  TRY_ASSIGN(const Fd self, sys::sealed_memfd("belljar-unpack", image));
  cell::CellSpec spec;
  spec.argv = {"/proc/self/exe", "unpack"};
  spec.program_by_descriptor = true;
  spec.limits = unpack_limits();
  spec.writable_box = false;
  spec.writable_tmp = false;
  spec.loopback = false;
  std::string no_files;
  append_end(no_files, false);
  const Input input{
      .kind = Input::Kind::kBytes, .bytes = std::string(archive), .fd = -1, .signal_fd = -1};
  Observer silent;
  StageIo io(warden, spec.limits, OnOutputLimit::kKill);
  TRY_ASSIGN(const StageResult result,
             io.run(StageKind::kRun, spec, no_files, input, self.get(), silent));
  const StageOutcome stage = judge(StageKind::kRun, result, spec.limits);
  if (stage.status != RunStatus::kOk) {
    // The unpacker explains a refusal on stderr; its text passes through as text of a program.
    const std::string said(cut_utf8(result.err.data, 300));
    return fail(stage.status == RunStatus::kSetupError ? Code::kInternal : Code::kInvalid,
                "archive: " + (stage.status == RunStatus::kRuntimeError && !said.empty()
                                   ? escape_for_terminal(said)
                                   : stage.reason));
  }
  const Result<Bundle> bundle = parse_bundle(result.out.data);
  if (!bundle) return fail(Code::kInvalid, "archive: " + bundle.error().message);
  std::vector<File> files;
  for (const BundleFile& file : bundle->files) {
    TRY(check_path(file.path));
    files.push_back({.path = std::string(file.path),
                     .content = std::string(file.content),
                     .executable = file.executable});
  }
  return files;
}

}  // namespace belljar::engine
