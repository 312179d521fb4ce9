#include "api/http.h"

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

std::optional<std::string_view> Request::parameter(std::string_view name) const {
  return find(query, name);
}

}  // namespace belljar::api
