// InteractiveRun: one run over a WebSocket. Messages are JSON objects with a "type".
//
// From the client: first {"type":"start","run":{…as POST
// /v1/runs…},"tty":bool,"rows":n,"columns":n}, then "stdin" ("text" or "base64"), "eof", "signal"
// ("name"), "resize" ("rows","columns"), "cancel". To the client: "status", "stdout", "stderr" as
// the events of a run, "error" with "detail", and at last "outcome" with "run". The run ends with
// the connection.
#pragma once

#include <memory>
#include <mutex>

#include "api/http.h"
#include "api/run_service.h"

namespace belljar::api {

class InteractiveRun : public SocketPeer {
 public:
  InteractiveRun(RunService& runs, Caller caller) : runs_(runs), caller_(std::move(caller)) {}

  void on_message(std::string_view bytes, bool is_text) override;
  void on_close() override;
  bool take(std::vector<std::string>& messages) override;
  void on_more(std::function<void()> wake) override;

 private:
  Status handle(std::string_view text);
  Status start(const boost::json::value& message);
  Status type_in(std::string_view bytes);
  void complain(const Error& error);

  RunService& runs_;
  const Caller caller_;
  std::mutex mutex_;
  std::shared_ptr<LiveRun> live_;
  Fd input_;  // the write end of the program's stdin
  std::uint64_t after_ = 0;
  std::vector<std::string> errors_;
  std::function<void()> wake_;
  bool failed_ = false;  // the start was refused: nothing more comes
};

}  // namespace belljar::api
