// InteractiveRun: one run over a WebSocket.
//
// From the client: first {"type":"start","run":{…as POST
// /v1/runs…},"tty":bool,"rows":n,"columns":n}, then "stdin" ("text" or "base64"), "eof", "signal"
// ("name"), "resize" ("rows","columns"), "cancel". To the client: "status", "stdout", "stderr" as
// the events of a run, "error" with "detail", and at last "outcome" with "run".
#pragma once

#include <memory>
#include <mutex>

#include "api/conversation.h"
#include "api/run_service.h"

namespace belljar::api {

class InteractiveRun : public Conversation {
 public:
  InteractiveRun(RunService& runs, Caller caller)
      : Conversation("run"), runs_(runs), caller_(std::move(caller)) {}

 private:
  Status start(JsonReader& reader) override;
  Status handle(std::string_view type, JsonReader& reader, LiveRun& live) override;
  void leave(LiveRun* live) override;
  Status type_in(std::string_view bytes);
  void end_input();

  RunService& runs_;
  const Caller caller_;
  std::mutex mutex_;
  Fd input_;  // the write end of the program's stdin
};

}  // namespace belljar::api
