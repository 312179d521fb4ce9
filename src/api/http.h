// Http: a request and its answer as plain values. What speaks the protocol is api/server.cpp;
// handlers see only this and can be tested without a socket.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.h"

namespace belljar::api {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;
  std::string path;  // percent-decoded, without the query; any bytes but NUL
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  Headers headers;                                         // names in lower case
  std::string body;
  std::string peer;      // the address at the other end of the socket
  bool upgrade = false;  // asks for a WebSocket

  // The first of that name (lower case), or nothing.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  // Content-Type in lower case and without its parameters (RFC 9110, section 8.3.1).
  [[nodiscard]] std::optional<std::string> media_type() const;
  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const;
};

// What an answer consists of where it comes bit by bit, server-sent events for one: pulled by the
// connection, which asks again when it is told to.
class EventStream {
 public:
  virtual ~EventStream() = default;
  // Appends what is there; false when the stream is over and nothing more will come.
  virtual bool take(std::string& text) = 0;
  // `wake` is called, from any thread, once there is something to take. One at a time.
  virtual void on_more(std::function<void()> wake) = 0;
  // What means nothing to its reader: sent now and then, so that no proxy closes what is only
  // quiet.
  [[nodiscard]] virtual std::string_view beat() const { return ": still here\n\n"; }
  // Whether it is let go as soon as its client closes the connection, or its half of it. Else that
  // is noticed when there is something to send.
  [[nodiscard]] virtual bool ends_with_client() const { return false; }
};

// The other side of a WebSocket. Messages come one at a time, in order.
class SocketPeer {
 public:
  virtual ~SocketPeer() = default;
  virtual void on_message(std::string_view bytes, bool is_text) = 0;
  virtual void on_close() = 0;
  // What is to be sent, each as one text message; the same rules as EventStream.
  virtual bool take(std::vector<std::string>& messages) = 0;
  virtual void on_more(std::function<void()> wake) = 0;
};

struct Response {
  unsigned status = 200;
  std::string type = "application/json";
  std::string body;
  Headers headers;
  std::shared_ptr<EventStream> events;  // then body is not used
  std::shared_ptr<SocketPeer> socket;   // then the connection becomes a WebSocket
};

// A file of a program's: never anything that a browser would render or run as a page of this
// service.
Response as_download(std::string content);

// Called once, from any thread.
using Reply = std::function<void(Response)>;

}  // namespace belljar::api
