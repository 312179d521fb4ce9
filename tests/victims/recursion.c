// Recurses for ever (T039).
#include <stdio.h>

__attribute__((noinline)) static unsigned deeper(volatile unsigned* above, unsigned depth) {
  volatile unsigned here[64];
  here[depth % 64] = *above + depth;
  return deeper(&here[depth % 64], depth + 1) + here[0];
}

int main(void) {
  volatile unsigned start = 1;
  printf("%u\n", deeper(&start, 0));
}
