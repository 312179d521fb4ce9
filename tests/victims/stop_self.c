// Stops itself, and stops a child, so that neither would ever act on a signal it can catch (T042).
#include <signal.h>
#include <unistd.h>

int main(void) {
  if (fork() == 0) raise(SIGSTOP);
  while (1) raise(SIGSTOP);
}
