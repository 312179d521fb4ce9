// LiveOutput: shows what the stages print while they print it.
#pragma once

#include "app/byte_sink.h"
#include "engine/engine.h"

namespace belljar::app {

class LiveOutput : public engine::Observer {
 public:
  // `as_is`: no escaping even for a terminal. A signal ends the waiting for a slow reader.
  enum class AsIs : unsigned char { kNo, kYes };
  LiveOutput(AsIs as_is, int signal_fd);

  void on_output(StageKind stage, engine::OutputStream stream, std::string_view bytes) override;
  void on_cancel() override;

  // After the run: writes what is left. An error means that output was lost; its errno is EPIPE
  // when nobody reads any more.
  Status finish();
  // Ends a line that the program left open on a terminal, before words of our own.
  void end_line();

 private:
  ByteSink out_;
  ByteSink err_;
  const ByteSink* last_ = nullptr;  // that was written to
};

}  // namespace belljar::app
