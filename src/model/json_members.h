// Members: what one object of JSON has by name, of the kind that it must have: for what another
// process of Belljar has written, or says it has.
//
// Errors: kInvalid names the first member that is missing or of another kind.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace belljar {

std::unexpected<Error> wrong_member(std::string_view name);

class Members {
 public:
  // Borrowed; it outlives it. `name` is for the error.
  static Result<Members> of(const boost::json::value* value, std::string_view name);

  [[nodiscard]] const boost::json::value* find(std::string_view name) const {
    return object_->if_contains(name);
  }
  Status read(std::string_view name, std::string& to) const;
  Status read(std::string_view name, bool& to) const;
  Status read(std::string_view name, std::uint64_t& to) const;
  Status read(std::string_view name, std::int64_t& to) const;
  // A narrower number, of its own range.
  template <std::integral Number>
  Status read(std::string_view name, Number& to) const {
    std::int64_t number = 0;
    if (!read(name, number) || !std::in_range<Number>(number)) return wrong_member(name);
    to = static_cast<Number>(number);
    return {};
  }
  Status read(std::string_view name, std::vector<std::string>& to) const;
  // Bytes that are written as base64.
  Status read_bytes(std::string_view name, std::string& to) const;
  // Whole nanoseconds, and milliseconds that need not be whole.
  Status read_ns(std::string_view name, Nanoseconds& to) const;
  Status read_ms(std::string_view name, Nanoseconds& to) const;
  [[nodiscard]] Result<double> real(std::string_view name) const;
  [[nodiscard]] Result<const boost::json::array*> list(std::string_view name) const;
  [[nodiscard]] Result<Members> object(std::string_view name) const { return of(find(name), name); }
  // One of a kind, up to `last`, by the name that to_string gives it.
  template <typename Kind>
  Status read_name(std::string_view name, Kind last, Kind& to) const {
    std::string text;
    TRY(read(name, text));
    for (int i = 0; i <= static_cast<int>(last); ++i) {
      const auto each = static_cast<Kind>(i);
      if (to_string(each) != text) continue;
      to = each;
      return {};
    }
    return wrong_member(name);
  }

 private:
  explicit Members(const boost::json::object& object) : object_(&object) {}
  const boost::json::object* object_;
};

}  // namespace belljar
