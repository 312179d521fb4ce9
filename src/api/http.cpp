#include "api/http.h"

#include "base/text.h"

namespace belljar::api {
namespace {

std::optional<std::string_view> find(const Headers& list, std::string_view name) {
  for (const auto& [each, value] : list) {
    if (each == name) return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> Request::header(std::string_view name) const {
  return find(headers, name);
}

std::optional<std::string> Request::media_type() const {
  const auto value = header("content-type");
  if (!value) return std::nullopt;
  std::string type = ascii_lower(value->substr(0, value->find(';')));
  while (type.ends_with(' ') || type.ends_with('\t')) type.pop_back();
  return type;
}

std::optional<std::string_view> Request::parameter(std::string_view name) const {
  return find(query, name);
}

Response as_download(std::string content) {
  Response response{.type = "application/octet-stream", .body = std::move(content)};
  response.headers.emplace_back("Content-Disposition", "attachment");
  response.headers.emplace_back("Content-Security-Policy", "sandbox; default-src 'none'");
  return response;
}

}  // namespace belljar::api
