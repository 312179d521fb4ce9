// Server: HTTP/1.1 and WebSocket on sockets that are already listening. Knows nothing of routes.
//
// Runs in: gateway. Handlers are called on threads of its own pool, replies come from any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "api/http.h"
#include "base/fd.h"
#include "base/result.h"

namespace belljar::api {

struct ServerSettings {
  std::uint64_t max_body = 16 * kMiB;
  std::uint64_t max_header = 16 * kKiB;
  std::size_t max_connections = 1000;
  std::size_t max_connections_per_address = 0;  // IPv6 by /64; 0: no cap
  std::set<std::string> proxies;                // addresses that this cap is not for
  std::function<void()> turned_away;            // called for each connection over a cap
  std::size_t handler_threads = 4;
  Nanoseconds header_time = std::chrono::seconds(10);  // for a request to come whole
  Nanoseconds body_time = std::chrono::seconds(60);
  Nanoseconds idle_time = std::chrono::seconds(75);  // between two requests, and for a write
};

using RequestHandler = std::function<void(const Request&, const Reply&)>;

class Server {
 public:
  explicit Server(const ServerSettings& settings);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // From here on every connection is TLS 1.2 or 1.3. Both in PEM; the certificate's chain with it.
  Status use_tls(std::string_view certificates, std::string_view key);
  // Takes a listening stream socket over. `plain`: without TLS in any case, for loopback.
  Status listen(Fd socket, RequestHandler handler, bool plain = false);
  // Serves until stop(), then until the requests that are being answered are done or `patience` is
  // over.
  void serve();
  // From any thread or a signal's thread: takes no more connections and lets serve() return.
  void stop(Nanoseconds patience);

 private:
  struct Implementation;
  std::shared_ptr<Implementation> implementation_;
};

}  // namespace belljar::api
