// A connection to one address, plain or TLS, on which nothing waits beyond a deadline.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "api/webhook_url.h"
#include "base/fd.h"
#include "base/units.h"

struct ssl_ctx_st;
struct ssl_st;

namespace belljar::api {

// What TLS trusts: the certificates of a PEM file. Safe from several threads.
class TlsContext {
 public:
  static Result<TlsContext> create(std::string_view authorities_pem);
  [[nodiscard]] ssl_ctx_st* get() const { return context_.get(); }

 private:
  explicit TlsContext(std::shared_ptr<ssl_ctx_st> context) : context_(std::move(context)) {}
  std::shared_ptr<ssl_ctx_st> context_;
};

// Deadlines are times of sys::now(). An error of Code::kExhausted means that one ran out.
class WebhookConnection {
 public:
  static Result<WebhookConnection> open(const IpAddress& address,
                                        std::uint16_t port,
                                        Nanoseconds deadline);
  // The certificate must be valid for `host`, a name or an address.
  Status start_tls(const TlsContext& context, const std::string& host, Nanoseconds deadline);
  Status write(std::string_view bytes, Nanoseconds deadline);
  // 0 at the end.
  Result<std::size_t> read(std::span<char> bytes, Nanoseconds deadline);

 private:
  explicit WebhookConnection(Fd socket) : socket_(std::move(socket)) {}
  Status wait(short events, Nanoseconds deadline) const;
  // After a call of OpenSSL that returned `code`: waits for what it wants.
  Status after_tls(int code, Nanoseconds deadline);

  Fd socket_;
  std::shared_ptr<ssl_st> tls_;
};

}  // namespace belljar::api
