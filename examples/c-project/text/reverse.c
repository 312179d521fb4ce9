#include "text/reverse.h"

#include <string.h>

void reverse_line(char *line) {
  size_t end = strcspn(line, "\n");
  for (size_t start = 0; start + 1 < end; ++start) {
    --end;
    const char last = line[end];
    line[end] = line[start];
    line[start] = last;
  }
}
