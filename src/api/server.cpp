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
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "api/problem.h"
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
using Parser = http::request_parser<http::string_body>;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMostMessage = 2 * kMiB;  // of a WebSocket

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

// Whether another reader of the same bytes could find another end of this request, or another host
// in it: two lengths, a length and a coding, a coding that is not read here, two hosts.
bool is_ambiguous(const http::request<http::string_body>& message) {
  const auto count = [&message](http::field name) {
    const auto fields = message.equal_range(name);
    return std::distance(fields.first, fields.second);
  };
  const auto lengths = count(http::field::content_length);
  const auto codings = count(http::field::transfer_encoding);
  const auto hosts = count(http::field::host);
  const auto value = message[http::field::content_length];
  const std::string_view length(value.data(), value.size());
  return lengths > 1 || codings > 1 || lengths + codings > 1 ||
         (lengths == 1 && length.find_first_not_of("0123456789") != std::string_view::npos) ||
         (codings == 1 && !beast::iequals(message[http::field::transfer_encoding], "chunked")) ||
         hosts > 1 || (hosts == 0 && message.version() >= 11);
}

Result<Request> read(const http::request<http::string_body>& message, const std::string& peer) {
  Request request;
  request.method = message.method_string();
  request.peer = peer;
  const std::string_view target(message.target().data(), message.target().size());
  const auto url =
      boost::urls::parse_origin_form(boost::core::string_view(target.data(), target.size()));
  if (!url) return fail(Code::kInvalid, "the request's target is not a path");
  request.path = url->path();
  if (request.path.find('\0') != std::string::npos || !is_valid_utf8(request.path)) {
    return fail(Code::kInvalid, "the request's target holds bytes that no path has");
  }
  for (const auto& parameter : url->params()) {
    request.query.emplace_back(parameter.key, parameter.value);
  }
  for (const auto& field : message) {
    const auto name = field.name_string();
    const auto value = field.value();
    request.headers.emplace_back(ascii_lower({name.data(), name.size()}),
                                 std::string(value.data(), value.size()));
  }
  request.body = message.body();
  request.upgrade = websocket::is_upgrade(message);
  return request;
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

  asio::awaitable<void> accept(std::shared_ptr<tcp::acceptor> acceptor, RequestHandler handler) {
    while (!stopping) {
      auto [error, socket] = co_await acceptor->async_accept(kAwait);
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        // Out of descriptors, most likely: a moment later there may be some again.
        asio::steady_timer pause(context, std::chrono::milliseconds(50));
        co_await pause.async_wait(kAwait);
        continue;
      }
      if (connections >= settings.max_connections) continue;  // closed at once
      ++connections;
      asio::co_spawn(context, begin(Plain(std::move(socket)), handler),
                     [self = shared_from_this()](const std::exception_ptr&) { self->closed(); });
    }
  }

  void closed() {
    --connections;
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

  asio::awaitable<void> begin(Plain stream, RequestHandler handler) {
    if (!tls) {
      co_await serve(std::move(stream), std::move(handler));
      co_return;
    }
    Secure secure(std::move(stream), *tls);
    lowest(secure).expires_after(settings.header_time);
    const auto [failed] = co_await secure.async_handshake(asio::ssl::stream_base::server, kAwait);
    if (failed) co_return;
    co_await serve(std::move(secure), std::move(handler));
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

  template <typename Stream>
  asio::awaitable<void> serve(Stream stream, RequestHandler handler) {
    Error_code error;
    lowest(stream).socket().set_option(tcp::no_delay(true), error);
    const auto remote = lowest(stream).socket().remote_endpoint(error);
    const std::string peer = error ? "" : remote.address().to_string();
    // Chunk extensions mean nothing here; what is sent of them counts as a header does.
    std::size_t extensions = 0;
    auto count_extension = [&extensions, this](std::uint64_t, std::string_view text,
                                               Error_code& failed) {
      extensions += text.size();
      if (extensions > settings.max_header) failed = http::error::header_limit;
    };
    beast::flat_buffer buffer(settings.max_header + settings.max_body + 64 * kKiB);
    for (bool first = true; !stopping; first = false) {
      Parser parser;
      extensions = 0;
      parser.header_limit(static_cast<std::uint32_t>(settings.max_header));
      parser.body_limit(settings.max_body);
      parser.on_chunk_header(count_extension);
      lowest(stream).expires_after(first ? settings.header_time : settings.idle_time);
      // The first byte may take its time between two requests, the rest of the header may not.
      if (!first && buffer.size() == 0) {
        const auto [failed, size] = co_await stream.async_read_some(buffer.prepare(4096), kAwait);
        if (failed) co_return;
        buffer.commit(size);
        lowest(stream).expires_after(settings.header_time);
      }
      auto [failed, size] = co_await http::async_read_header(stream, buffer, parser, kAwait);
      if (!failed) {
        if (is_ambiguous(parser.get())) {
          co_await refuse(stream, 400, "its length or its host cannot be told for certain");
          co_return;
        }
        if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
          http::response<http::empty_body> go_on(http::status::continue_, 11);
          co_await http::async_write(stream, go_on, kAwait);
        }
        lowest(stream).expires_after(settings.body_time);
        std::tie(failed, size) = co_await http::async_read(stream, buffer, parser, kAwait);
      }
      if (failed) {
        if (failed == http::error::end_of_stream) {
          co_await finish(stream);
        } else if (failed == http::error::body_limit) {
          co_await refuse(stream, 413, "body: must be at most " + format_bytes(settings.max_body));
        } else if (failed == http::error::header_limit) {
          co_await refuse(stream, 431,
                          "header: must be at most " + format_bytes(settings.max_header));
        } else if (failed == beast::error::timeout) {
          co_await refuse(stream, 408, "the request took too long to come");
        } else if (failed.category() == make_error_code(http::error::bad_target).category()) {
          co_await refuse(stream, 400, "not HTTP: " + failed.message());
        }
        co_return;
      }
      http::request<http::string_body> message = parser.release();
      auto request = read(message, peer);
      if (!request) {
        co_await refuse(stream, 400, request.error().message);
        co_return;
      }
      ++busy;
      lowest(stream).expires_never();
      const bool head = request->method == "HEAD";
      Response response = co_await answer(handler, *std::move(request));
      bool open = false;
      if (response.socket != nullptr) {
        co_await converse(std::move(stream), message, response.socket);
      } else if (response.events != nullptr && !head) {
        co_await stream_events(stream, std::move(response));
      } else {
        const bool keep = message.keep_alive() && !stopping;
        open = co_await write(
                   stream, to_message(std::move(response), message.version(), keep, head), head) &&
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

  // The connection is closed afterwards: where the next request begins is not known.
  template <typename Stream>
  asio::awaitable<void> refuse(Stream& stream, unsigned status, std::string detail) {
    Response response = problem(status, "The request is not valid", detail);
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
    for (bool more = true; more;) {
      std::string text;
      more = response.events->take(text);
      if (text.empty() && more) {
        response.events->on_more(ringer(bell));
        // A comment now and then keeps proxies from closing what is only quiet.
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
        text = ": still here\n\n";
      }
      if (text.empty()) continue;
      lowest(stream).expires_after(settings.idle_time);
      const auto [error, sent] =
          co_await asio::async_write(stream, http::make_chunk(asio::buffer(text)), kAwait);
      if (error) co_return;
    }
    lowest(stream).expires_after(settings.idle_time);
    co_await asio::async_write(stream, http::make_chunk_last(), kAwait);
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

Status Server::listen(Fd socket, RequestHandler handler) {
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
  asio::co_spawn(implementation_->context, implementation_->accept(acceptor, std::move(handler)),
                 asio::detached);
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
