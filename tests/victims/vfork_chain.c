// Each child of vfork calls vfork itself, so that every parent hangs in the kernel (T006).
#include "attempt.h"

#include <stdlib.h>

static int wanted;

// Shares its parent's memory, and must not return to the frame of vfork: so it recurses and exits.
static void chain(int depth) {
  if (depth == wanted) {
    say("attempt vfork: ok");
    _exit(0);
  }
  pid_t child = vfork();
  if (child == 0) chain(depth + 1);
  if (child < 0) {
    attempt("vfork", -1);
    say("depth: %d", depth);
  }
  _exit(0);
}

int main(int count, char** words) {
  wanted = count > 1 ? atoi(words[1]) : 10000;
  chain(0);
}
