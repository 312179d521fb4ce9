#include "model/json_text.h"

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

namespace belljar {
namespace {

namespace json = boost::json;

void print(std::string& out, double value) {
  std::array<char, 512> digits{};
  // Beyond what people read digit by digit it is as short as it can be.
  const double size = std::abs(value);
  const auto format = size == 0 || (size >= 1e-9 && size < 1e17) ? std::chars_format::fixed
                                                                 : std::chars_format::general;
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, format);
  out.append(digits.data(), end);
}

void print(std::string& out, const json::value& value) {
  char separator = '{';
  if (const json::object* const object = value.if_object(); object != nullptr) {
    for (const auto& [key, member] : *object) {
      out += separator;
      out += json::serialize(key);
      out += ':';
      print(out, member);
      separator = ',';
    }
    out += object->empty() ? "{}" : "}";
  } else if (const json::array* const array = value.if_array(); array != nullptr) {
    separator = '[';
    for (const json::value& element : *array) {
      out += separator;
      print(out, element);
      separator = ',';
    }
    out += array->empty() ? "[]" : "]";
  } else if (const double* const number = value.if_double(); number != nullptr) {
    print(out, *number);
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string json_text(const json::value& value) {
  std::string out;
  print(out, value);
  return out;
}

}  // namespace belljar
