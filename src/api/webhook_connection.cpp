#include "api/webhook_connection.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "base/sys.h"

namespace belljar::api {
namespace {

std::string tls_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* const text = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return text != nullptr ? text : "the connection was closed";
}

socklen_t socket_address(const IpAddress& address, std::uint16_t port, sockaddr_storage& place) {
  if (address.is_v4()) {
    sockaddr_in four{.sin_family = AF_INET, .sin_port = htons(port)};
    std::memcpy(&four.sin_addr, address.bytes.data() + 12, 4);
    std::memcpy(&place, &four, sizeof four);
    return sizeof four;
  }
  sockaddr_in6 six{.sin6_family = AF_INET6, .sin6_port = htons(port)};
  std::memcpy(&six.sin6_addr, address.bytes.data(), 16);
  std::memcpy(&place, &six, sizeof six);
  return sizeof six;
}

}  // namespace

Result<TlsContext> TlsContext::create(std::string_view authorities_pem) {
  // No file of the host says how: its openssl.cnf may load modules.
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!context) return fail(Code::kInternal, "TLS: " + tls_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_verify_depth(context.get(), 8);

  const std::unique_ptr<BIO, decltype(&BIO_free)> pem(
      BIO_new_mem_buf(authorities_pem.data(), static_cast<int>(authorities_pem.size())), BIO_free);
  X509_STORE* const store = SSL_CTX_get_cert_store(context.get());
  while (X509* const certificate = PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
  }
  ERR_clear_error();
  return TlsContext(context);
}

Result<WebhookConnection> WebhookConnection::open(const IpAddress& address,
                                                  std::uint16_t port,
                                                  Nanoseconds deadline) {
  Fd socket = Fd::adopt(::socket(address.is_v4() ? AF_INET : AF_INET6,
                                 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return fail_errno("socket");
  sockaddr_storage place{};
  const socklen_t size = socket_address(address, port, place);
  WebhookConnection connection(std::move(socket));
  const int raw = connection.socket_.get();
  const std::string where = "connect to " + address.text();
  if (::connect(raw, reinterpret_cast<const sockaddr*>(&place), size) == 0) return connection;
  if (errno != EINPROGRESS) return fail_errno(where);
  if (const Status ready = connection.wait(POLLOUT, deadline); !ready) {
    return std::unexpected(ready.error().context(where));
  }
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(raw, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return fail_errno(where, error);
  return connection;
}

Status WebhookConnection::wait(short events, Nanoseconds deadline) const {
  while (true) {
    const Nanoseconds left = deadline - sys::now();
    if (left <= Nanoseconds{}) return fail(Code::kExhausted, "no answer in time");
    pollfd wait{.fd = socket_.get(), .events = events, .revents = 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left.count() / 1'000'000 + 1));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail_errno("poll");
  }
}

Status WebhookConnection::after_tls(int code, Nanoseconds deadline) {
  switch (SSL_get_error(tls_.get(), code)) {
    case SSL_ERROR_WANT_READ:
      return wait(POLLIN, deadline);
    case SSL_ERROR_WANT_WRITE:
      return wait(POLLOUT, deadline);
    default:
      return fail(Code::kUnavailable, "TLS: " + tls_error());
  }
}

Status WebhookConnection::start_tls(const TlsContext& context,
                                    const std::string& host,
                                    Nanoseconds deadline) {
  tls_.reset(SSL_new(context.get()), SSL_free);
  if (!tls_ || SSL_set_fd(tls_.get(), socket_.get()) != 1)
    return fail(Code::kInternal, "TLS: " + tls_error());
  if (parse_ip_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), host.c_str());
  } else {
    SSL_set_hostflags(tls_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(tls_.get(), host.c_str()) != 1 ||
        SSL_set_tlsext_host_name(tls_.get(), host.c_str()) != 1) {
      return fail(Code::kInternal, "TLS: " + tls_error());
    }
  }
  while (true) {
    ERR_clear_error();
    const int code = SSL_connect(tls_.get());
    if (code == 1) return {};
    if (Status waited = after_tls(code, deadline); !waited) {
      const long verified = SSL_get_verify_result(tls_.get());
      if (verified == X509_V_OK) return waited;
      return fail(Code::kUnavailable, std::string("TLS: the certificate is not valid: ") +
                                          X509_verify_cert_error_string(verified));
    }
  }
}

Status WebhookConnection::write(std::string_view bytes, Nanoseconds deadline) {
  while (!bytes.empty()) {
    if (tls_) {
      ERR_clear_error();
      std::size_t done = 0;
      const int code = SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &done);
      if (code == 1) {
        bytes.remove_prefix(done);
        // Enough of a slow reader that always takes a little.
        if (sys::now() > deadline) return fail(Code::kExhausted, "no answer in time");
      } else {
        TRY(after_tls(code, deadline));
      }
      continue;
    }
    const ssize_t done = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(done));
    } else if (errno != EAGAIN && errno != EINTR) {
      return fail_errno("send");
    }
    if (!bytes.empty()) TRY(wait(POLLOUT, deadline));
  }
  return {};
}

Result<std::size_t> WebhookConnection::read(std::span<char> bytes, Nanoseconds deadline) {
  while (true) {
    if (sys::now() > deadline) return fail(Code::kExhausted, "no answer in time");
    if (tls_) {
      ERR_clear_error();
      std::size_t got = 0;
      const int code = SSL_read_ex(tls_.get(), bytes.data(), bytes.size(), &got);
      if (code == 1) return got;
      if (SSL_get_error(tls_.get(), code) == SSL_ERROR_ZERO_RETURN) return 0;
      TRY(after_tls(code, deadline));
      continue;
    }
    const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EAGAIN && errno != EINTR) return fail_errno("receive");
    TRY(wait(POLLIN, deadline));
  }
}

}  // namespace belljar::api
