// Ends as if a limit or a signal of somebody else had ended it (T123).
#include "attempt.h"

#include <signal.h>
#include <stdlib.h>

int main(int count, char** words) {
  const char* how = count > 1 ? words[1] : "exit";
  say("Time limit exceeded");
  say("Killed");
  if (strcmp(how, "exit") == 0) _exit(137);
  signal(atoi(how), SIG_DFL);
  raise(atoi(how));
  kill(getpid(), atoi(how));
  return 0;
}
