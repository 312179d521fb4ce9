#include <stdio.h>

int main(void) {
  int *nowhere = NULL;
  puts("About to write to address 0.");
  fflush(stdout);
  *(volatile int *)nowhere = 1;
  return 0;
}
