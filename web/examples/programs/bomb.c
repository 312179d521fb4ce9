#include <stdio.h>
#include <unistd.h>

int main(void) {
  puts("Each process starts another, for ever.");
  fflush(stdout);
  for (;;) fork();
}
