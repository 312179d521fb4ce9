// RequestParser: the bytes of one HTTP/1.1 request, in pieces as they come, to a Request. Holds
// what a stranger sends to its limits; what is refused says why.
//
// Only for api/server.cpp, and the fuzzer that stands in its place: handlers see no Beast.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "api/http.h"

namespace belljar::api {

struct RequestLimits {
  std::uint64_t max_header = 16 * kKiB;
  std::uint64_t max_body = 16 * kMiB;
  // What chunks say besides their lengths: extensions, trailers, zeros before a length. None of it
  // is used here.
  std::uint64_t max_framing = 8 * kKiB;
};

// Where the next request begins is not known any more: the connection ends with the answer.
struct Refusal {
  unsigned status = 400;
  std::string detail;
};

class RequestParser {
 public:
  explicit RequestParser(const RequestLimits& limits);
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Takes from the front of `bytes` and answers how many; what is left has to come again, with more
  // behind it. Stops at the end of the header, and at the end of the request.
  std::expected<std::size_t, Refusal> put(std::string_view bytes);
  [[nodiscard]] bool has_begun() const { return parser_.got_some(); }
  [[nodiscard]] bool has_header() const { return parser_.is_header_done(); }
  [[nodiscard]] bool is_done() const { return parser_.is_done(); }

  // From the end of the header on.
  [[nodiscard]] bool wants_continue() const;
  [[nodiscard]] bool keep_alive() const { return keep_alive_; }
  [[nodiscard]] unsigned version() const { return parser_.get().version(); }

  // At the end, once. Trailers are no headers: what they say is dropped.
  Request take();
  // What WebSocket's handshake reads.
  const boost::beast::http::request<boost::beast::http::string_body>& message() const {
    return parser_.get();
  }

 private:
  std::expected<void, Refusal> read_header();
  [[nodiscard]] Refusal long_header() const;
  [[nodiscard]] bool is_ambiguous() const;
  [[nodiscard]] std::int64_t framing() const;

  const RequestLimits limits_;
  boost::beast::http::request_parser<boost::beast::http::string_body> parser_;
  std::function<void(std::uint64_t, std::string_view, boost::system::error_code&)> on_chunk_;
  Request request_;
  bool keep_alive_ = false;
  std::uint64_t header_ = 0;  // bytes of it
  std::int64_t taken_ = 0;    // bytes after the header
  std::int64_t lengths_ = 0;  // of them, what chunks cannot do without
};

}  // namespace belljar::api
