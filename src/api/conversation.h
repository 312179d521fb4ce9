// Conversation: one run or execution over a WebSocket, whatever it is that is begun. Messages are
// JSON objects with a "type"; the client's first is "start". To the client go the events of what it
// began, "error" with "detail", and at last "outcome". It ends with the connection.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"
#include "api/json_reader.h"
#include "api/live_run.h"

namespace belljar::api {

class Conversation : public SocketPeer {
 public:
  // `outcome`: the member that has what it came to, a literal.
  explicit Conversation(std::string_view outcome) : outcome_(outcome) {}

  void on_message(std::string_view bytes, bool is_text) final;
  void on_close() final;
  bool take(std::vector<std::string>& messages) final;
  void on_more(std::function<void()> wake) final;

 protected:
  // `reader` has read the type. What start() has begun it tells with begun().
  virtual Status start(JsonReader& reader) = 0;
  virtual Status handle(std::string_view type, JsonReader& reader, LiveRun& live) = 0;
  // The client is gone; `live` is what it began and is not over, or null.
  virtual void leave(LiveRun* live) = 0;

  void begun(std::shared_ptr<LiveRun> live);

 private:
  Status read(std::string_view text);
  void complain(const Error& error);

  const std::string_view outcome_;
  std::mutex mutex_;
  std::shared_ptr<LiveRun> live_;
  std::uint64_t after_ = 0;
  std::vector<std::string> errors_;
  std::function<void()> wake_;
  bool failed_ = false;  // the start was refused: nothing more comes
};

}  // namespace belljar::api
