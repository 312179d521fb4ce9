// JsonReader: members of a JSON object, read once each, with errors that name the field.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belljar::api {

// At most 32 levels deep; a name that stands twice, bytes after the end and text that is not UTF-8
// are kInvalid, with the place.
Result<boost::json::value> parse_json(std::string_view text);

class JsonReader {
 public:
  // `path` is what stands before the names in messages: "" or "files[3]".
  JsonReader(const boost::json::object& object, std::string path)
      : object_(object), path_(std::move(path)), seen_(object.size(), false) {}
  static Result<JsonReader> of(const boost::json::value& value, std::string path);

  // Null counts as absent.
  const boost::json::value* find(std::string_view name);
  Result<std::optional<std::string>> text(std::string_view name);
  Result<std::string> text_or(std::string_view name, std::string_view fallback);
  Result<std::optional<bool>> flag(std::string_view name);
  Result<std::optional<std::uint64_t>> count(std::string_view name);
  Result<std::vector<std::string>> texts(std::string_view name);
  // kInvalid for the first member that nobody asked for.
  Status finish() const;

  [[nodiscard]] std::string where(std::string_view name) const;
  [[nodiscard]] std::unexpected<Error> wrong(std::string_view name, std::string_view wanted) const;

 private:
  const boost::json::object& object_;
  std::string path_;
  std::vector<bool> seen_;
};

}  // namespace belljar::api
