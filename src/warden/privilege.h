// Becoming root of what this user may be root of.
//
// Runs in: warden, first thing, single-threaded.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>

#include "base/result.h"
#include "cell/host.h"

namespace belljar::warden {

// Who started the warden.
struct Person {
  uid_t uid = 0;              // as the user namespace around this one numbers it
  bool root_of_host = false;  // root of a user namespace is not, whatever its uid is
};
Result<Person> find_person();

// What a map of user_namespaces(7) says of a uid inside: its number outside.
std::optional<uid_t> uid_outside(std::string_view uid_map, uid_t inside);

// Root of the host stays root. Anybody else, and root in a container that has taken capabilities
// away, becomes root of a user namespace: with a range of uids where a container's root may map one
// or /etc/subuid and newuidmap(1) give one, else with the one uid there is. kUnavailable says what
// the host or the container would have to allow.
Result<cell::Privilege> become_root(const Person& person);

}  // namespace belljar::warden
