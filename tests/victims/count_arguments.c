// Says how many arguments it got, if it was ever started with so many (T037, T146).
#include "attempt.h"

int main(int count, char** words) {
  size_t size = 0;
  for (int i = 0; i < count; ++i) size += strlen(words[i]) + 1;
  say("attempt start: ok");
  say("arguments: %d of %zu bytes", count - 1, size);
  return 0;
}
