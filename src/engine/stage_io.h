// StageIo: one cell's streams on the client's side. Feeds stdin, reads and bounds stdout, stderr
// and the artifacts, and waits for the warden's word, in one loop that never blocks on the guest.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "model/outcome.h"
#include "warden/client.h"

namespace belljar::engine {

// Counts the bytes and keeps what of them fits into `most` in all; answers with that part.
std::string_view keep_within(Stream& stream, std::string_view bytes, std::uint64_t most);

// What one stage produced, as seen from outside the cell.
struct StageResult {
  warden::CellReport report{};
  Stream out, err;
  std::string artifacts;  // a bundle, empty when none was wanted
  int cancelled_by = 0;   // the signal that the client took for a wish to end
};

class StageIo {
 public:
  StageIo(warden::Client& client, const Limits& limits, OnOutputLimit on_limit)
      : client_(client), limits_(limits), on_limit_(on_limit) {}

  // Runs one cell to its end.
  Result<StageResult> run(StageKind kind,
                          const cell::CellSpec& spec,
                          std::string_view bundle,
                          const Input& input,
                          int program,
                          Observer& observer);

 private:
  struct Ends {
    Fd in, out, err, artifacts;  // the cell's
  };
  // Waits until a finished cell for the run is there.
  Status warm_up(std::uint64_t id, const cell::CellSpec& spec);
  Result<Ends> open_streams(const cell::CellSpec& spec, const Input& input);
  Status loop(StageKind kind, std::uint64_t id, const Input& input, Observer& observer);
  void feed(const Input& input);
  bool take_input(int fd);  // whether there was some
  // Whether there may be more to read now.
  bool read_stream(Fd& fd,
                   Stream& stream,
                   StageKind kind,
                   OutputStream which,
                   std::uint64_t id,
                   Observer& observer);
  bool read_artifacts();
  void on_signal(const Input& input, std::uint64_t id, Observer& observer);
  void on_control(int fd, std::uint64_t id, Observer& observer);
  void cancel(int signal, std::uint64_t id, Observer& observer);

  warden::Client& client_;
  const Limits& limits_;
  OnOutputLimit on_limit_;
  Fd in_, out_, err_, artifacts_;
  Fd terminal_;          // our side of the cell's pseudo-terminal
  std::string pending_;  // bytes for stdin that the pipe did not take yet
  std::size_t pending_at_ = 0;
  bool input_done_ = false;
  bool control_done_ = false;
  bool ended_ = false;
  int read_error_ = 0;
  StageResult result_;
};

}  // namespace belljar::engine
