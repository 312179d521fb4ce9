// Forks without pause in every child, so that something is being born at the moment of death
// (T086).
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  for (int i = 0; i < 4; ++i) fork();
  while (1) {
    if (fork() == 0) {
      if (fork() == 0) _exit(0);
      _exit(0);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
}
