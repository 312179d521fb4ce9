// Puts a key into each keyring, and looks for keys of others (T168).
#include "attempt.h"

#include <fcntl.h>
#include <sys/syscall.h>

int main(void) {
  const char* names[] = {"", "thread", "process", "session", "user", "user session"};
  for (int ring = 1; ring <= 5; ++ring) {
    attempt(names[ring], syscall(SYS_add_key, "user", "belljar", "secret", 6, -ring));
  }
  attempt("persistent", syscall(SYS_keyctl, 22, -1, -3));
  attempt("describe", syscall(SYS_keyctl, 6, -4, 0, 0));
  attempt("request", syscall(SYS_request_key, "user", "belljar", 0, 0));
  attempt("/proc/keys", open("/proc/keys", O_RDONLY));
  return 0;
}
