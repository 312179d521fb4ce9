// Errors as values: Result<T>, Error, and the TRY macros.
//
// An Error means that Belljar could not do its part. What a guest program did, its death included,
// is never an Error: it is a model::Outcome. A broken invariant is neither: see base/check.h.
#pragma once

#include <cerrno>
#include <cstdint>
#include <expected>  // IWYU pragma: export
#include <string>
#include <utility>

namespace belljar {

// Callers branch on the code, never on the message.
enum class Code : std::uint8_t {
  kInvalid,      // the request is wrong; the message names the field and the limit
  kDenied,       // the request is well formed but not allowed
  kNotFound,     // a named thing does not exist
  kConflict,     // not in the state that the named thing is in now
  kExhausted,    // a budget is used up; later may succeed
  kUnavailable,  // something this needs is missing on this host
  kInternal,     // our bug or the host's fault
};

struct Error {
  Code code = Code::kInternal;
  int sys = 0;          // errno, or 0 where no system call was at fault
  std::string message;  // one line, no full stop

  // Prepends where it happened; used once per module boundary.
  [[nodiscard]] Error context(std::string_view where) const;
};

template <typename T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};
using Status = Result<void>;

std::unexpected<Error> fail(Code code, std::string message);
// The message is "<what>: <text of errno>".
std::unexpected<Error> fail_errno(std::string_view what, int err = errno);

}  // namespace belljar

#define BELLJAR_CONCAT_(a, b) a##b
#define BELLJAR_CONCAT(a, b) BELLJAR_CONCAT_(a, b)

// Returns the error to the caller, else goes on.
#define TRY(expression)                                                     \
  do {                                                                      \
    auto&& try_status = (expression);                                       \
    if (!try_status) return std::unexpected(std::move(try_status).error()); \
  } while (false)

// TRY_ASSIGN(const Fd fd, open_file(path)); declares `fd` or returns the error.
#define TRY_ASSIGN(declaration, expression) \
  TRY_ASSIGN_(BELLJAR_CONCAT(try_result_, __COUNTER__), declaration, expression)
#define TRY_ASSIGN_(result, declaration, expression)              \
  auto result = (expression);                                     \
  if (!result) return std::unexpected(std::move(result).error()); \
  declaration = *std::move(result)
