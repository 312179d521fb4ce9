#include "api/request_parser.h"

#include <algorithm>
#include <bit>
#include <boost/asio/buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "base/text.h"

namespace belljar::api {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using Error_code = boost::system::error_code;

constexpr std::int64_t kLineEnd = 2;
constexpr std::string_view kLastChunk = "0\r\n\r\n";
// The end of the line before, 16 digits, and the end of their own.
constexpr std::int64_t kLongestLength = 16 + 2 * kLineEnd;

std::int64_t hex_digits(std::uint64_t value) {
  return value == 0 ? 1 : (static_cast<std::int64_t>(std::bit_width(value)) + 3) / 4;
}

}  // namespace

RequestParser::RequestParser(const RequestLimits& limits) : limits_(limits) {
  parser_.header_limit(static_cast<std::uint32_t>(limits_.max_header));
  parser_.body_limit(limits_.max_body);
  on_chunk_ = [this](std::uint64_t size, std::string_view, Error_code&) {
    // Its length's line, and the end of the line after its bytes, or after the trailers.
    lengths_ += hex_digits(size) + 2 * kLineEnd;
  };
  parser_.on_chunk_header(on_chunk_);
}

std::expected<std::size_t, Refusal> RequestParser::put(std::string_view bytes) {
  const bool in_body = has_header();
  // Beast 1.81 asserts that it sees the last chunk in pieces of five bytes at least, and would end
  // the process. So much is always still to come.
  if (in_body && parser_.chunked() && bytes.size() < kLastChunk.size()) return 0;
  Error_code error;
  const std::size_t used = parser_.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  const bool more = error == http::error::need_more;
  if (in_body) {
    taken_ += static_cast<std::int64_t>(used);
    // A line that has not ended yet is not taken, but it is held. It may be a plain length's.
    const auto rest = static_cast<std::int64_t>(bytes.size() - used);
    const std::int64_t held =
        more && parser_.chunked() ? std::max<std::int64_t>(rest - kLongestLength, 0) : 0;
    if (framing() + held > static_cast<std::int64_t>(limits_.max_framing)) {
      return std::unexpected(Refusal{431, "chunks: their extensions and trailers must be at most " +
                                              format_bytes(limits_.max_framing)});
    }
  }
  if (error == http::error::body_limit) {
    return std::unexpected(Refusal{413, "body: must be at most " + format_bytes(limits_.max_body)});
  }
  if (error == http::error::header_limit) {
    return std::unexpected(long_header());
  }
  if (error && !more) return std::unexpected(Refusal{400, "not HTTP: " + error.message()});
  // Beast counts the first line or not, by how the bytes were cut.
  if (!in_body) header_ += used;
  if (header_ > limits_.max_header) return std::unexpected(long_header());
  if (!in_body && has_header()) {
    if (auto good = read_header(); !good) return std::unexpected(std::move(good).error());
    parser_.eager(true);  // from here on as much as there is
  }
  return used;
}

Refusal RequestParser::long_header() const {
  return {431, "header: must be at most " + format_bytes(limits_.max_header)};
}

// Bytes of chunks that are neither body nor length.
std::int64_t RequestParser::framing() const {
  if (!parser_.chunked()) return 0;
  return taken_ - lengths_ - static_cast<std::int64_t>(parser_.get().body().size());
}

// Whether another reader of the same bytes could find another end of this request, or another host
// in it: two lengths, a length and a coding, a coding that is not read here, two hosts.
bool RequestParser::is_ambiguous() const {
  const auto& message = parser_.get();
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

std::expected<void, Refusal> RequestParser::read_header() {
  if (is_ambiguous()) {
    return std::unexpected(Refusal{400, "its length or its host cannot be told for certain"});
  }
  const auto& message = parser_.get();
  request_.method = message.method_string();
  const std::string_view target(message.target().data(), message.target().size());
  const auto url =
      boost::urls::parse_origin_form(boost::core::string_view(target.data(), target.size()));
  if (!url) return std::unexpected(Refusal{400, "the request's target is not a path"});
  request_.path = url->path();
  if (request_.path.find('\0') != std::string::npos) {
    return std::unexpected(Refusal{400, "the request's target holds bytes that no path has"});
  }
  for (const auto& parameter : url->params()) {
    request_.query.emplace_back(parameter.key, parameter.value);
  }
  for (const auto& field : message) {
    const auto name = field.name_string();
    const auto value = field.value();
    request_.headers.emplace_back(ascii_lower({name.data(), name.size()}),
                                  std::string(value.data(), value.size()));
  }
  request_.upgrade = beast::websocket::is_upgrade(message) && !parser_.chunked();
  keep_alive_ = message.keep_alive();
  return {};
}

bool RequestParser::wants_continue() const {
  return beast::iequals(parser_.get()[http::field::expect], "100-continue");
}

Request RequestParser::take() {
  request_.body = std::move(parser_.get().body());
  return std::move(request_);
}

}  // namespace belljar::api
