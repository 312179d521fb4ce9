// Prints values that must differ in every cell: addresses, canary, random bytes (T172).
#include "attempt.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>

int main(void) {
  uint64_t random = 0, canary = 0, boot[2];
  if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) return 1;
  __asm__("mov %%fs:0x28, %0" : "=r"(canary));
  memcpy(boot, (void*)getauxval(AT_RANDOM), sizeof boot);
  say("code %p", (void*)&main);
  say("stack %p", (void*)&random);
  say("library %p", (void*)&getauxval);
  say("vdso %lx", getauxval(AT_SYSINFO_EHDR));
  say("random %lx", random);
  say("canary %lx", canary);
  say("auxiliary %lx%lx", boot[0], boot[1]);
  return 0;
}
