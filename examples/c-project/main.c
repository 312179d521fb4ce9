#include <stdio.h>

#include "text/reverse.h"

int main(void) {
  char line[1024];
  while (fgets(line, sizeof line, stdin) != NULL) {
    reverse_line(line);
    fputs(line, stdout);
  }
  return 0;
}
