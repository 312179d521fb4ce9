// Sys: thin wrappers of the system calls that more than one folder needs. They own every
// descriptor they make, always close-on-exec, and answer with Result.
#pragma once

#include <sys/types.h>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace belljar::sys {

struct Pipe {
  Fd read;
  Fd write;
};
Result<Pipe> make_pipe();                    // pipe2(O_CLOEXEC)
Result<std::array<Fd, 2>> make_seqpacket();  // socketpair(AF_UNIX, SOCK_SEQPACKET)
Status set_nonblocking(int fd);

// Nanoseconds of CLOCK_MONOTONIC: the only clock for limits.
Nanoseconds now();

// open(2) with O_CLOEXEC.
Result<Fd> open_file(const char* path, int flags, mode_t mode = 0);
// The whole file, at most `limit` bytes; kExhausted when it is longer.
Result<std::string> read_file(const char* path, std::size_t limit);
Status write_all(int fd, std::string_view bytes);
// A memfd with these bytes that nobody can change any more (F_SEAL_SEAL|SHRINK|GROW|WRITE).
Result<Fd> sealed_memfd(const char* name, std::string_view bytes);
// kDenied unless all four seals are on: then its bytes can be mapped and trusted to stay.
Status check_sealed(int fd);

// One message with descriptors over a SOCK_SEQPACKET socket. The call does not block on a
// non-blocking socket: EAGAIN is Code::kExhausted.
Status send_message(int socket, std::string_view bytes, std::span<const int> fds);
struct Message {
  std::string bytes;    // empty: the peer is gone
  std::vector<Fd> fds;  // everything that was sent, so that nothing leaks
};
// At most `limit` bytes and 16 descriptors; a truncated message or control part is kInvalid.
Result<Message> receive_message(int socket, std::size_t limit);

}  // namespace belljar::sys
