// Asks the compiler which files of the host are there (T044).
#include "attempt.h"
int main(void) {
#if __has_include("{secret}")
  say("attempt secret: ok");
#else
  say("attempt secret: ENOENT");
#endif
#if __has_include("/etc/shadow")
  say("attempt shadow: ok");
#else
  say("attempt shadow: ENOENT");
#endif
#if __has_include("/proc/1/environ")
  say("attempt init: ok");
#else
  say("attempt init: ENOENT");
#endif
#if __has_include(<stdio.h>)
  say("attempt stdio.h: ok");
#endif
  return 0;
}
