// InteractiveExecution: one execution in a session over a WebSocket.
//
// From the client: first {"type":"start","execution":{…as POST …/executions…}}, then "interrupt",
// as often as it likes. To the client: "status", "stdout", "stderr", "result" as the events of an
// execution, "error" with "detail", and at last "outcome" with "execution". A session's code has no
// stdin. With the connection the execution ends: it is interrupted until it does.
#pragma once

#include <memory>
#include <string>

#include "api/conversation.h"
#include "api/session_service.h"

namespace belljar::api {

class InteractiveExecution : public Conversation {
 public:
  InteractiveExecution(SessionService& sessions, Caller caller, std::string session)
      : Conversation("execution"),
        sessions_(sessions),
        caller_(std::move(caller)),
        session_(std::move(session)) {}

 private:
  Status start(JsonReader& reader) override;
  Status handle(std::string_view type, JsonReader& reader, LiveRun& live) override;
  void leave(LiveRun* live) override;

  SessionService& sessions_;
  const Caller caller_;
  const std::string session_;
};

}  // namespace belljar::api
