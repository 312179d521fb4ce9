#include <stdio.h>

int main(void) {
  char name[64];
  printf("What is your name? ");
  if (scanf("%63s", name) != 1) return 1;
  printf("Good to see you, %s.\n", name);
  return 0;
}
