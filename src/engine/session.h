// Session: an interpreter in a cell of its own that keeps its state from one execution to the next.
// Each execution has limits and a bill of its own; between them every process of the cell is
// stopped, so that none of them can use a processor.
//
// What ran, how long and at what cost comes from the warden and with it from the kernel. Values,
// errors and whether the code ended well are what the interpreter says of itself, as in any
// notebook: hostile code can make them up, for its own session.
//
// Runs in: gateway. One thread at a time, but for interrupt() and stop().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/sys.h"
#include "cell/file_request.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "engine/session_protocol.h"
#include "model/outcome.h"
#include "warden/client.h"

namespace belljar::engine {

enum class ExecutionStatus : std::uint8_t {
  kOk,
  kError,        // the code raised an error
  kInterrupted,  // on the client's word
  kTimeout,      // past a limit; `clock` says which. The state is kept where SIGINT sufficed
  kOutputLimit,  // over limits.output; interrupted
  kExited,       // the code ended its interpreter: the next execution has a new one
  kDied,         // a signal ended the interpreter: likewise
  kEnded,        // the cell has ended, and with it the session; `session_end` says how
};
std::string_view to_string(ExecutionStatus status);  // "ok", "error", …

struct Execution {
  ExecutionStatus status = ExecutionStatus::kEnded;
  std::string reason;  // one line for people
  std::optional<Clock> clock;
  std::optional<int> exit_code;  // kExited
  std::string signal;            // kDied, as the interpreter's parent names it
  std::uint64_t count = 0;       // executions of this context so far
  Stream out, err;
  std::vector<std::string> results;  // JSON objects, see DriverFrame
  bool results_truncated = false;
  std::string error;               // a JSON object, or empty
  std::vector<SessionFile> files;  // new or changed ones, as the driver says
  // Of this execution; peaks are the session's so far.
  Usage usage;
  Events events;
  std::vector<DeniedSyscall> denied;
  bool denied_more = false;
  Limits limits;
  std::optional<StageOutcome> session_end;
};

// Told of things as they happen, on the thread that called.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  // Raw and hostile bytes; nothing beyond limits.output.
  virtual void on_output(OutputStream stream, std::string_view bytes) = 0;
  // A JSON object, see DriverFrame.
  virtual void on_result(const std::string& json) = 0;
};

class Session {
 public:
  // Makes the cell and waits until its interpreter is up and paused. `client` is a connection of
  // the session's own; the cell ends with it. An Error when Belljar or the host could not do it, or
  // the interpreter did not come up.
  static Result<std::unique_ptr<Session>> create(warden::Client client,
                                                 const Plan& plan,
                                                 const Policy& policy,
                                                 const Submission& submission);
  // A session whose gateway has gone and that the warden has kept, and what that gateway had
  // noted. What it executed then has been interrupted. Nothing when there is none (more); an Error,
  // also when it did not survive, is no reason not to ask for the next. `limits` are found out from
  // the note.
  struct Kept {
    std::unique_ptr<Session> session;
    std::string note;
  };
  using ReadNote = std::function<Result<std::pair<Limits, OnOutputLimit>>(const std::string& note)>;
  static Result<std::optional<Kept>> adopt(warden::Client client, const ReadNote& read);
  // Ends the cell, and waits for its end.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Wanted limits `wall`, `cpu` and `output` hold for this execution; the others are the cell's.
  // `env` and `marshalled` as for execute_frame().
  Result<Execution> execute(std::string_view context,
                            std::string_view code,
                            std::span<const std::string> env,
                            const Limits& limits,
                            SessionObserver& observer,
                            bool marshalled = false);
  // `op` and `cwd` as for context_frame().
  Result<Execution> change_context(std::string_view op,
                                   std::string_view context,
                                   std::string_view cwd = {});
  // The regular files below /box, while the session is paused; paths are relative to it, are the
  // caller's to check, and lead through no link. The cell's init does it all: see
  // cell/file_request.h. An Error in the client's words; kUnavailable when the session has ended
  // with it.
  struct FileList {
    struct Entry {
      std::string path;  // bytes of the kernel's, not always UTF-8
      std::uint64_t bytes = 0;
      std::int64_t modified_ms = 0;  // since 1970
    };
    std::vector<Entry> files;  // by path
    bool more = false;         // there are more than kMostListed, or deeper ones
  };
  static constexpr std::size_t kMostListed = 10'000;
  Result<FileList> list_files();
  // kInvalid when it has more than `most` bytes.
  Result<std::string> read_file(std::string_view path, std::uint64_t most);
  // Makes it, or takes the place of what stands there; and folders on the way.
  Status write_file(std::string_view path, std::string_view content);
  // A file, a link as such, or a folder without anything in it.
  Status remove_file(std::string_view path);
  // Has the warden keep the session if this process ends without having ended it; `note` is told to
  // whoever adopts it. May be called again, to change the note.
  Status keep(std::string_view note);
  // From any thread: what is executed now gets SIGINT. Nothing when nothing is executed.
  void interrupt();
  // From any thread: the cell is ended. What is executed now ends with it.
  void stop();

  // Nothing has been heard of its end. For a session that nobody executes anything in.
  [[nodiscard]] bool is_well() const;
  // What ended it while nobody executed anything in it; nothing while it is well.
  struct End {
    bool with_warden = false;  // else its cell alone has ended
    std::string reason;        // one line for people
  };
  std::optional<End> heard_end();
  // No further execution is possible.
  [[nodiscard]] bool is_over() const { return over_.has_value(); }
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  [[nodiscard]] Start start() const { return start_; }
  [[nodiscard]] WallSet walls() const { return walls_; }

 private:
  Session(warden::Client client, std::uint64_t id, const Limits& limits, OnOutputLimit on_limit)
      : client_(std::move(client)),
        id_(id),
        limits_(limits),
        on_limit_(on_limit),
        last_request_(static_cast<std::uint64_t>(sys::now().count())) {}

  Status settle(bool was_running);
  Status pass_late_interrupt();
  // What init answers, a bundle, but for errors.
  Result<std::string> ask_files(const cell::FileRequest& request,
                                std::string_view path,
                                std::string_view content);
  Status come_to_rest();
  void drain();
  Status open(const Plan& plan, const Policy& policy, const Submission& submission);
  Result<Execution> perform(const std::string& frame,
                            const Limits& limits,
                            SessionObserver* observer);
  // What is waited for: `until_` says it has come.
  enum class Wait : std::uint8_t { kReady, kDone, kPaused };
  Status loop(Wait wait);
  [[nodiscard]] bool has_come(Wait wait) const;
  Status hear_warden();
  void hear_driver();
  void take_frame(std::string_view json);
  bool read_stream(Fd& fd, Stream& stream, OutputStream which);
  void flush_pending();
  void give_up_on_driver(std::string reason);
  void finish(Execution& made);

  warden::Client client_;
  const std::uint64_t id_;  // of the cell; the connection has no other
  Limits limits_;           // the cell's
  OnOutputLimit on_limit_;
  std::string version_;
  Start start_ = Start::kCold;
  WallSet walls_;

  Fd driver_, out_, err_;
  std::string pending_;         // bytes for the driver that its socket did not take yet
  std::uint64_t last_request_;  // higher than any that another gateway has sent
  std::atomic<bool> executing_ = false;
  std::atomic<bool> interrupted_ = false;  // the driver may still have to hear of it
  FrameReader frames_;
  bool ready_ = false;
  std::optional<DriverFrame> done_;
  std::optional<warden::CellReport> paused_;
  std::optional<warden::CellReport> over_;
  std::string trouble_;  // why the driver was given up on

  Execution unheard_;            // takes what comes while nothing is performed
  Execution* made_ = &unheard_;  // never null: a cell may write at any moment
  SessionObserver* observer_ = nullptr;
  Limits execution_limits_;
  std::size_t result_bytes_ = 0;
};

}  // namespace belljar::engine
