#include "base/result.h"

#include <cstring>

namespace belljar {

Error Error::context(std::string_view where) const {
  Error out = *this;
  out.message = std::string(where) + ": " + message;
  return out;
}

std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error{.code = code, .sys = 0, .message = std::move(message)});
}

std::unexpected<Error> fail_errno(std::string_view what, int err) {
  const Code code =
      err == ENOENT                   ? Code::kNotFound
      : err == EACCES || err == EPERM ? Code::kDenied
      : err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOSPC || err == EAGAIN
          ? Code::kExhausted
          : Code::kInternal;
  // strerrordesc_np and not strerror: it is thread-safe and never localised.
  const char* text = strerrordesc_np(err);
  return std::unexpected(
      Error{.code = code,
            .sys = err,
            .message = std::string(what) + ": " + (text != nullptr ? text : "unknown error")});
}

}  // namespace belljar
