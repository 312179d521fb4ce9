// What the messages of a fleet have in common: how bytes, files, wanted limits and errors are
// members of a JSON object. Bytes that need not be text are base64; durations are nanoseconds.
//
// Errors: kInvalid names the member that is missing or of another kind.
#pragma once

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/json_members.h"
#include "model/policy.h"
#include "model/submission.h"

namespace belljar::fleet {

// The members of a whole message, which live as long as this.
class Parsed {
 public:
  static Result<Parsed> of(std::string_view text);
  [[nodiscard]] Members members() const { return *Members::of(&value_, ""); }

 private:
  boost::json::value value_;
};

// One of a kind, by the name that stands at its place in `names`.
template <std::size_t N, typename Kind>
std::string_view name_in(const std::array<std::string_view, N>& names, Kind value) {
  return names.at(static_cast<std::size_t>(value));
}

template <std::size_t N, typename Kind>
Status read_in(const std::array<std::string_view, N>& names,
               const Members& from,
               std::string_view member,
               Kind& to) {
  std::string name;
  TRY(from.read(member, name));
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] != name) continue;
    to = static_cast<Kind>(i);
    return {};
  }
  return wrong_member(member);
}

boost::json::array coded(const std::vector<std::string>& texts);
Status read_coded(const Members& from, std::string_view name, std::vector<std::string>& to);

boost::json::array members_of(const std::vector<File>& files);
Status read(const Members& from, std::string_view name, std::vector<File>& to);

// By the names that they have for people.
boost::json::object members_of(const LimitOverrides& limits);
Status read(const Members& from, std::string_view name, LimitOverrides& to);

boost::json::object members_of(const Error& error);
Status read(const Members& from, std::string_view name, Error& to);

}  // namespace belljar::fleet
