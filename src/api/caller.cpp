#include "api/caller.h"

#include <algorithm>

namespace belljar::api {

bool Caller::may(std::string_view scope) const {
  if (!key) return scope != "admin";
  return std::ranges::any_of(
      key->scopes, [scope](const std::string& each) { return each == "*" || each == scope; });
}

}  // namespace belljar::api
