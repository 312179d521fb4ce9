// Engine: the life of a submission, from files to outcome.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/compile_cache.h"
#include "engine/header_store.h"
#include "engine/toolchain_version.h"
#include "model/outcome.h"
#include "model/policy.h"
#include "model/submission.h"
#include "runtime/catalog.h"
#include "runtime/stages.h"
#include "warden/client.h"

namespace belljar::engine {

enum class OutputStream : std::uint8_t { kOut, kErr };

// Told of things as they happen, on the thread that called Engine::execute.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_stage(StageKind /*stage*/) {}
  // Bytes as the program wrote them, raw and hostile; nothing beyond limits.output.
  virtual void on_output(StageKind /*stage*/, OutputStream /*stream*/, std::string_view /*bytes*/) {
  }
  // Some of what comes while it runs has been taken, and will not come a second time.
  virtual void on_input() {}
  // The stage ends on the wish of Input::signal_fd: output that still comes must hold nothing up.
  virtual void on_cancel() {}
};

// What a client does to a program that runs, besides writing to its stdin.
struct InputControl {
  enum class Kind : std::uint32_t { kCancel, kSignal, kResize };
  Kind kind{};
  std::int32_t signal = 0;  // kSignal; kCancel names the one it stands for, or 0
  std::uint16_t rows = 0;   // kResize, of the cell's terminal
  std::uint16_t columns = 0;
};

// What the run stage reads.
struct Input {
  enum class Kind : std::uint8_t {
    kEmpty,       // end of file at once
    kBytes,       // `bytes`, then end of file
    kDescriptor,  // copied from `fd` until its end; the program never holds `fd` itself
    kTerminal,    // a pseudo-terminal of the cell's own; `fd` is the person's, already in raw mode
  };
  Kind kind = Kind::kEmpty;
  std::string bytes;
  int fd = -1;
  bool warm = false;  // first have a finished cell made for each stage; for a warden of one's own
  // Where InputControl messages come in, or -1: a pipe or a socket that keeps each write whole.
  int control_fd = -1;
  // A signalfd(2), or -1: SIGWINCH copies the window size of `fd` to the cell's terminal, any other
  // signal ends the run as cancelled and is named in the stage.
  int signal_fd = -1;
};

// A submission that has been planned and, where the language asks for it, compiled.
struct Prepared {
  runtime::Stages stages;
  Submission submission;  // with the compiler's results among its files
  Outcome outcome;        // so far: holds the compile stage; final if `runnable` is false
  bool runnable = false;
};

// What earlier work may save; what is not there is done without.
struct Reuse {
  VersionCache* versions = nullptr;
  CompileCache* cache = nullptr;
  std::string tenant;  // whose entries of the cache
  const HeaderStore* headers = nullptr;
};

class Engine {
 public:
  // All borrowed; they outlive the engine.
  Engine(warden::Client& warden,
         const runtime::Catalog& catalog,
         const Policy& policy,
         Reuse reuse = {})
      : warden_(warden), catalog_(catalog), policy_(policy), reuse_(std::move(reuse)) {}

  // The whole story: plan, compile, run, report. An Error only when Belljar itself could not do its
  // part (bad request, no toolchain, warden gone); everything a program does is in the Outcome.
  Result<Outcome> execute(const Submission& submission, const Input& input, Observer& observer);

  // The same in two steps, for many inputs to one program.
  Result<Prepared> prepare(const Submission& submission, const Input& input, Observer& observer);
  Result<Outcome> run(const Prepared& prepared, const Input& input, Observer& observer);

  // Has the warden make cells for runs like this one ahead: advice, of which nobody is told.
  Status expect(const Submission& submission);

 private:
  Result<StageOutcome> run_stage(const runtime::StagePlan& plan,
                                 const Submission& submission,
                                 const Input& input,
                                 Observer& observer,
                                 std::vector<File>& collected,
                                 bool& collected_all);
  // The compile stage, from the cache where it has exactly this.
  Result<Compiled> compile(const Prepared& prepared,
                           const runtime::Manifest& manifest,
                           const runtime::Toolchain& toolchain,
                           const Input& input,
                           Observer& observer);
  Result<std::string> version_of(const runtime::Manifest& manifest,
                                 const runtime::Toolchain& toolchain);

  warden::Client& warden_;
  const runtime::Catalog& catalog_;
  const Policy& policy_;
  const Reuse reuse_;
};

}  // namespace belljar::engine
