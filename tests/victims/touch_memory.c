// Takes memory and touches every page of it, MIB mebibytes in all (T008).
#include "attempt.h"

#include <stdlib.h>
#include <string.h>

int main(int count, char** words) {
  int wanted = count > 1 ? atoi(words[1]) : 1 << 20;
  for (int i = 0; i < wanted; ++i) {
    char* piece = malloc(1 << 20);
    if (piece == NULL) break;
    memset(piece, i + 1, 1 << 20);
  }
  attempt("touch", 0);
  return 0;
}
