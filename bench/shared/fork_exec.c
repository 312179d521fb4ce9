// fork_exec N PROGRAM ARGUMENT...: starts the program N times, one after another, and prints for
// each the nanoseconds from fork to the end of wait.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  for (int left = atoi(argv[1]); left > 0; --left) {
    char* const none[] = {NULL};
    const long long start = now();
    const pid_t child = fork();
    if (child == 0) {
      execve(argv[2], argv + 2, none);
      _exit(127);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 1;
    printf("%lld\n", now() - start);
  }
  return 0;
}
