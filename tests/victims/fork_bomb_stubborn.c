// A fork bomb that ignores every signal and leaves its session and process group (T005).
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char** words) {
  // With COUNT it stops growing after so many, for the control that shows what killpg misses.
  int left = count > 1 ? atoi(words[1]) : -1;
  for (int number = 1; number <= 64; ++number) signal(number, SIG_IGN);
  while (left != 0) {
    if (fork() == 0) {
      setsid();
      if (fork() != 0) _exit(0);
    }
    if (left > 0) --left;
  }
  while (1) pause();
}
