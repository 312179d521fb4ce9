#include "api/server.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <map>

#include "api/caller.h"
#include "api/problem.h"
#include "api/request_parser.h"
#include "base/text.h"

namespace belljar::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using Error_code = boost::system::error_code;
using Plain = beast::tcp_stream;
using Secure = beast::ssl_stream<Plain>;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMostMessage = 2 * kMiB;  // of a WebSocket
constexpr std::size_t kHeaderBytes = 4 * kKiB;  // read at once; connections that are idle hold it
constexpr std::size_t kReadBytes = 64 * kKiB;   // of a body
// That are told why at one time. The others are closed without a word: a flood must not hold more
// than this of what it is kept from.
constexpr std::size_t kMostTurnedAway = 32;

// What has the clock and the socket, with or without TLS above it.
template <typename Stream>
Plain& lowest(Stream& stream) {
  return beast::get_lowest_layer(stream);
}

// Sleeps until somebody wakes it; a wake that comes first is not lost.
class Bell {
 public:
  explicit Bell(asio::any_io_executor executor)
      : timer_(executor, asio::steady_timer::time_point::max()) {}
  asio::awaitable<void> wait() {
    while (!rung_) co_await timer_.async_wait(kAwait);
    rung_ = false;
  }
  void ring() {
    rung_ = true;
    timer_.cancel();
  }
  asio::any_io_executor executor() { return timer_.get_executor(); }

 private:
  asio::steady_timer timer_;
  bool rung_ = false;
};

// A function that rings a bell from any thread, also after its connection is gone.
std::function<void()> ringer(const std::shared_ptr<Bell>& bell) {
  return [weak = std::weak_ptr(bell)] {
    if (const auto strong = weak.lock()) {
      asio::post(strong->executor(), [weak] {
        if (const auto bell = weak.lock()) bell->ring();
      });
    }
  };
}

http::response<http::string_body> to_message(Response response,
                                             unsigned version,
                                             bool keep_alive,
                                             bool head) {
  http::response<http::string_body> message(static_cast<http::status>(response.status), version);
  if (response.status != 204) message.set(http::field::content_type, response.type);
  for (const auto& [name, value] : response.headers) message.set(name, value);
  message.keep_alive(keep_alive);
  message.body() = std::move(response.body);
  message.prepare_payload();
  if (head) message.body().clear();  // its length is said, it is not sent
  return message;
}

}  // namespace

struct Server::Implementation : std::enable_shared_from_this<Implementation> {
  explicit Implementation(const ServerSettings& wanted)
      : settings(wanted), handlers(wanted.handler_threads), patience(context) {}

  asio::awaitable<void> accept(std::shared_ptr<tcp::acceptor> acceptor,
                               RequestHandler handler,
                               bool plain) {
    while (!stopping) {
      auto [error, socket] = co_await acceptor->async_accept(kAwait);
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        // Out of descriptors, most likely: a moment later there may be some again.
        asio::steady_timer pause(context, std::chrono::milliseconds(50));
        co_await pause.async_wait(kAwait);
        continue;
      }
      const auto remote = socket.remote_endpoint(error);
      const std::string peer = error ? "" : remote.address().to_string();
      const std::string network = settings.proxies.contains(peer) ? "" : address_of(peer);
      if (std::string why = full(network); !why.empty()) {
        if (settings.turned_away) settings.turned_away();
        // Without a handshake there are no words over TLS.
        if ((tls && !plain) || turned_away >= kMostTurnedAway) continue;
        ++turned_away;
        asio::co_spawn(
            context, turn_away(Plain(std::move(socket)), std::move(why)),
            [self = shared_from_this()](const std::exception_ptr&) { --self->turned_away; });
        continue;
      }
      ++connections;
      if (!network.empty()) ++of_network[network];
      asio::co_spawn(context, begin(Plain(std::move(socket)), peer, handler, plain),
                     [self = shared_from_this(), network](const std::exception_ptr&) {
                       self->closed(network);
                     });
    }
  }

  // Why another connection from there is not taken, or nothing. A proxy's are its clients' and have
  // no cap of their own.
  [[nodiscard]] std::string full(const std::string& network) const {
    if (connections >= settings.max_connections) {
      return "all " + std::to_string(settings.max_connections) + " connections are taken";
    }
    const std::size_t most = settings.max_connections_per_address;
    const auto found = of_network.find(network);
    if (most == 0 || found == of_network.end() || found->second < most) return {};
    return "more than " + std::to_string(most) + " connections from " + network;
  }

  asio::awaitable<void> turn_away(Plain stream, std::string why) {
    Response response = problem(503, "Not available now", why);
    response.headers.emplace_back("Retry-After", "1");
    co_await part(stream, std::move(response));
  }

  void closed(const std::string& network) {
    --connections;
    if (const auto found = of_network.find(network);
        found != of_network.end() && --found->second == 0) {
      of_network.erase(found);
    }
    if (stopping && busy == 0) context.stop();
  }

  // The handler's answer, waited for without holding a thread.
  asio::awaitable<Response> answer(const RequestHandler& handler, Request request) {
    struct Waiting {
      explicit Waiting(asio::any_io_executor executor) : bell(std::make_shared<Bell>(executor)) {}
      std::shared_ptr<Bell> bell;
      Response response;
      std::atomic<bool> answered = false;
    };
    const auto waiting = std::make_shared<Waiting>(context.get_executor());
    asio::post(handlers, [handler, waiting, request = std::move(request)] {
      handler(request, [waiting](Response response) {
        if (waiting->answered.exchange(true)) return;
        waiting->response = std::move(response);
        ringer(waiting->bell)();
      });
    });
    co_await waiting->bell->wait();
    co_return std::move(waiting->response);
  }

  asio::awaitable<void> begin(Plain stream, std::string peer, RequestHandler handler, bool plain) {
    if (!tls || plain) {
      co_await serve(std::move(stream), std::move(peer), std::move(handler));
      co_return;
    }
    Secure secure(std::move(stream), *tls);
    lowest(secure).expires_after(settings.header_time);
    const auto [failed] = co_await secure.async_handshake(asio::ssl::stream_base::server, kAwait);
    if (failed) co_return;
    co_await serve(std::move(secure), std::move(peer), std::move(handler));
  }

  // Says that nothing more comes.
  template <typename Stream>
  asio::awaitable<void> finish(Stream& stream) {
    Error_code error;
    if constexpr (std::is_same_v<Stream, Secure>) {
      lowest(stream).expires_after(std::chrono::seconds(1));
      co_await stream.async_shutdown(kAwait);
    }
    lowest(stream).socket().shutdown(tcp::socket::shutdown_send, error);
  }

  // Reads one request whole. False where the connection is to be closed; what there is to say about
  // it has been said.
  template <typename Stream>
  asio::awaitable<bool> read(Stream& stream,
                             beast::flat_buffer& buffer,
                             RequestParser& parser,
                             bool first) {
    lowest(stream).expires_after(first ? settings.header_time : settings.idle_time);
    bool waiting = buffer.size() == 0;
    while (!parser.is_done()) {
      if (waiting) {
        const auto [failed, size] = co_await stream.async_read_some(
            buffer.prepare(parser.has_header() ? kReadBytes : kHeaderBytes), kAwait);
        if (failed == beast::error::timeout && (first || parser.has_begun() || buffer.size() > 0)) {
          co_await refuse(stream, {408, "the request took too long to come"});
        } else if (failed == asio::error::eof && (parser.has_begun() || buffer.size() > 0)) {
          co_await refuse(stream, {400, "not HTTP: the request has no end"});
        } else if (failed == asio::error::eof) {
          co_await finish(stream);
        }
        if (failed) co_return false;
        // The first byte may take its time between two requests, the rest of the header may not.
        if (!first && !parser.has_begun() && buffer.size() == 0) {
          lowest(stream).expires_after(settings.header_time);
        }
        buffer.commit(size);
      }
      const bool had_header = parser.has_header();
      const auto bytes = buffer.cdata();
      const auto used = parser.put({static_cast<const char*>(bytes.data()), bytes.size()});
      if (!used) {
        co_await refuse(stream, used.error());
        co_return false;
      }
      buffer.consume(*used);
      waiting = true;
      if (had_header || !parser.has_header() || parser.is_done()) continue;
      if (parser.wants_continue()) {
        http::response<http::empty_body> go_on(http::status::continue_, 11);
        co_await http::async_write(stream, go_on, kAwait);
      }
      lowest(stream).expires_after(settings.body_time);
      waiting = buffer.size() == 0;
    }
    co_return true;
  }

  template <typename Stream>
  asio::awaitable<void> serve(Stream stream, std::string peer, RequestHandler handler) {
    Error_code error;
    lowest(stream).socket().set_option(tcp::no_delay(true), error);
    beast::flat_buffer buffer;
    for (bool first = true; !stopping; first = false) {
      RequestParser parser({.max_header = settings.max_header, .max_body = settings.max_body});
      if (!co_await read(stream, buffer, parser, first)) co_return;
      Request request = parser.take();
      if (buffer.size() == 0 && buffer.capacity() > kHeaderBytes) buffer = {};
      request.peer = peer;
      ++busy;
      lowest(stream).expires_never();
      const bool head = request.method == "HEAD";
      Response response = co_await answer(handler, std::move(request));
      bool open = false;
      if (response.socket != nullptr) {
        co_await converse(std::move(stream), parser.message(), response.socket);
      } else if (response.events != nullptr && !head) {
        co_await stream_events(stream, std::move(response));
      } else {
        const bool keep = parser.keep_alive() && !stopping;
        open = co_await write(stream, to_message(std::move(response), parser.version(), keep, head),
                              head) &&
               keep;
      }
      --busy;
      if (!open) {
        if (response.socket == nullptr) co_await finish(stream);
        co_return;
      }
    }
  }

  template <typename Stream>
  asio::awaitable<bool> write(Stream& stream,
                              http::response<http::string_body> message,
                              bool head) {
    lowest(stream).expires_after(settings.idle_time);
    http::response_serializer<http::string_body> serializer(message);
    if (head) {
      const auto [error, size] = co_await http::async_write_header(stream, serializer, kAwait);
      co_return !error;
    }
    const auto [error, size] = co_await http::async_write(stream, serializer, kAwait);
    co_return !error;
  }

  template <typename Stream>
  asio::awaitable<void> refuse(Stream& stream, Refusal refusal) {
    co_await part(stream, problem(refusal.status, "The request is not valid", refusal.detail));
  }

  // The last answer of a connection.
  template <typename Stream>
  asio::awaitable<void> part(Stream& stream, Response response) {
    if (co_await write(stream, to_message(std::move(response), 11, false, false), false)) {
      // What still comes in is read and dropped for a moment: closed on unread bytes, the answer
      // would be lost to a reset.
      co_await finish(stream);
      std::array<char, 16 * kKiB> dropped{};
      lowest(stream).expires_after(std::chrono::seconds(1));
      for (int i = 0; i < 1024; ++i) {
        const auto [failed, size] = co_await stream.async_read_some(asio::buffer(dropped), kAwait);
        if (failed) break;
      }
    }
  }

  template <typename Stream>
  asio::awaitable<void> stream_events(Stream& stream, Response response) {
    http::response<http::empty_body> head(http::status::ok, 11);
    head.set(http::field::content_type, response.type);
    for (const auto& [name, value] : response.headers) head.set(name, value);
    head.keep_alive(false);
    head.chunked(true);
    http::response_serializer<http::empty_body> serializer(head);
    lowest(stream).expires_after(settings.idle_time);
    const auto [failed, size] = co_await http::async_write_header(stream, serializer, kAwait);
    if (failed) co_return;
    const auto bell = std::make_shared<Bell>(context.get_executor());
    const auto gone = std::make_shared<bool>(false);
    if (response.events->ends_with_client()) listen_for_end(lowest(stream).socket(), bell, gone);
    for (bool more = true; more && !*gone;) {
      std::string text;
      more = response.events->take(text);
      if (text.empty() && more) {
        response.events->on_more(ringer(bell));
        asio::steady_timer quiet(context, std::chrono::seconds(15));
        bool beat = false;
        quiet.async_wait([&beat, weak = std::weak_ptr(bell)](const Error_code& error) {
          if (error) return;
          if (const auto strong = weak.lock()) {
            beat = true;
            strong->ring();
          }
        });
        co_await bell->wait();
        quiet.cancel();
        if (!beat) continue;
        text = response.events->beat();
      }
      if (text.empty()) continue;
      lowest(stream).expires_after(settings.idle_time);
      const auto [error, sent] =
          co_await asio::async_write(stream, http::make_chunk(asio::buffer(text)), kAwait);
      if (error) co_return;
    }
    if (*gone) co_return;
    lowest(stream).expires_after(settings.idle_time);
    co_await asio::async_write(stream, http::make_chunk_last(), kAwait);
  }

  // Rings when the client closes its side. One that sends more instead is not listened to further.
  static void listen_for_end(tcp::socket& socket,
                             const std::shared_ptr<Bell>& bell,
                             const std::shared_ptr<bool>& gone) {
    socket.async_wait(tcp::socket::wait_read,
                      [&socket, gone, weak = std::weak_ptr(bell)](const Error_code& error) {
                        const auto strong = weak.lock();  // it goes before the socket does
                        if (error || strong == nullptr) return;
                        char byte = 0;
                        const ssize_t got =
                            ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
                        *gone = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
                        if (*gone) strong->ring();
                      });
  }

  template <typename Stream>
  asio::awaitable<void> converse(Stream stream,
                                 const http::request<http::string_body>& message,
                                 std::shared_ptr<SocketPeer> peer) {
    const auto socket = std::make_shared<websocket::stream<Stream>>(std::move(stream));
    socket->set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
    socket->read_message_max(kMostMessage);
    // A browser that offers protocols wants one of them back; keys stand among them, see
    // routes.cpp.
    const std::string offered(message[http::field::sec_websocket_protocol]);
    const auto protocols = comma_list(offered);
    if (std::ranges::find(protocols, "belljar") != protocols.end()) {
      socket->set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
        response.set(http::field::sec_websocket_protocol, "belljar");
      }));
    }
    const auto [failed] = co_await socket->async_accept(message, kAwait);
    if (failed) co_return;
    asio::co_spawn(context, speak(socket, peer), asio::detached);
    beast::flat_buffer buffer;
    for (;;) {
      const auto [error, size] = co_await socket->async_read(buffer, kAwait);
      if (error) break;
      // On the pool: it parses, and may ask the ledger. One at a time keeps the order.
      const auto bell = std::make_shared<Bell>(context.get_executor());
      const std::string bytes = beast::buffers_to_string(buffer.data());
      const bool is_text = socket->got_text();
      asio::post(handlers, [&peer, &bytes, is_text, ring = ringer(bell)] {
        peer->on_message(bytes, is_text);
        ring();
      });
      co_await bell->wait();
      buffer.consume(buffer.size());
    }
    peer->on_close();
  }

  template <typename Socket>
  asio::awaitable<void> speak(std::shared_ptr<Socket> socket, std::shared_ptr<SocketPeer> peer) {
    const auto bell = std::make_shared<Bell>(context.get_executor());
    for (bool more = true; more;) {
      std::vector<std::string> messages;
      more = peer->take(messages);
      if (messages.empty() && more) {
        peer->on_more(ringer(bell));
        co_await bell->wait();
        continue;
      }
      for (const std::string& text : messages) {
        socket->text(true);
        const auto [error, size] = co_await socket->async_write(asio::buffer(text), kAwait);
        if (error) co_return;
      }
    }
    co_await socket->async_close(websocket::close_code::normal, kAwait);
  }

  const ServerSettings settings;
  std::optional<asio::ssl::context> tls;
  asio::io_context context{1};
  asio::thread_pool handlers;
  asio::steady_timer patience;
  std::vector<std::shared_ptr<tcp::acceptor>> acceptors;
  // Touched on the context's thread only.
  std::size_t connections = 0;
  std::map<std::string, std::size_t> of_network;  // connections by address, IPv6 by /64
  std::size_t turned_away = 0;
  std::size_t busy = 0;
  bool stopping = false;
};

Server::Server(const ServerSettings& settings)
    : implementation_(std::make_shared<Implementation>(settings)) {}

Server::~Server() {
  implementation_->handlers.join();
}

Status Server::use_tls(std::string_view certificates, std::string_view key) {
  asio::ssl::context context(asio::ssl::context::tls_server);
  Error_code error;
  ::SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  context.use_certificate_chain(asio::buffer(certificates.data(), certificates.size()), error);
  if (error) return fail(Code::kInvalid, "tls-certificate: " + error.message());
  context.use_private_key(asio::buffer(key.data(), key.size()), asio::ssl::context::pem, error);
  if (error) return fail(Code::kInvalid, "tls-key: " + error.message());
  if (::SSL_CTX_check_private_key(context.native_handle()) != 1) {
    return fail(Code::kInvalid, "tls-key: is not the key of the certificate");
  }
  implementation_->tls.emplace(std::move(context));
  return {};
}

Status Server::listen(Fd socket, RequestHandler handler, bool plain) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return fail_errno("getsockname");
  }
  const auto acceptor = std::make_shared<tcp::acceptor>(implementation_->context);
  Error_code error;
  acceptor->assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), socket.get(), error);
  if (error) return fail(Code::kInternal, "listen: " + error.message());
  (void)socket.release();
  implementation_->acceptors.push_back(acceptor);
  asio::co_spawn(implementation_->context,
                 implementation_->accept(acceptor, std::move(handler), plain), asio::detached);
  return {};
}

void Server::serve() {
  const auto keep = asio::make_work_guard(implementation_->context);
  implementation_->context.run();
}

void Server::stop(Nanoseconds patience) {
  asio::post(implementation_->context, [self = implementation_, patience] {
    self->stopping = true;
    Error_code error;
    for (const auto& acceptor : self->acceptors) acceptor->close(error);
    if (self->busy == 0) return self->context.stop();
    self->patience.expires_after(patience);
    self->patience.async_wait([self](const Error_code& cancelled) {
      if (!cancelled) self->context.stop();
    });
  });
}

}  // namespace belljar::api
