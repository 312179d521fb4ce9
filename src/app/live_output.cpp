#include "app/live_output.h"

#include <unistd.h>

#include <cerrno>

#include "app/interruption.h"
#include "app/terminal.h"

namespace belljar::app {
namespace {

Show show_on(int fd, LiveOutput::AsIs as_is) {
  return is_terminal(fd) && as_is == LiveOutput::AsIs::kNo ? Show::kEscaped : Show::kRaw;
}

}  // namespace

LiveOutput::LiveOutput(AsIs as_is, int signal_fd)
    : out_(STDOUT_FILENO, show_on(STDOUT_FILENO, as_is), signal_fd),
      err_(STDERR_FILENO, show_on(STDERR_FILENO, as_is), signal_fd) {}

void LiveOutput::on_output(StageKind stage, engine::OutputStream stream, std::string_view bytes) {
  // What a compiler prints, on either stream, is no output of the program.
  const bool to_out = stage == StageKind::kRun && stream == engine::OutputStream::kOut;
  ByteSink& sink = to_out ? out_ : err_;
  if (!sink.status()) return;
  last_ = &sink;
  if (const Status written = sink.write(bytes); !written && written.error().sys != EINTR)
    Interruption::cancel();
}

void LiveOutput::on_cancel() {
  out_.hurry();
  err_.hurry();
}

Status LiveOutput::finish() {
  const Status out = out_.finish();
  const Status err = err_.finish();
  return out ? err : out;
}

void LiveOutput::end_line() {
  if (last_ == nullptr || last_->at_line_start()) return;
  if (!is_terminal(STDOUT_FILENO) || !is_terminal(STDERR_FILENO)) return;
  // A terminal that cannot be written to will not show our words either.
  static_cast<void>(write_patiently(STDERR_FILENO, "\n"));
  last_ = nullptr;
}

}  // namespace belljar::app
