// Calls every number there is, and some that are none, with odd arguments; prints each errno
// (T106).
#include "attempt.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

static long* answers;

static void call_in_child(long number, long argument) {
  pid_t child = fork();
  if (child == 0) {
    setsid();
    for (int fd = 0; fd < 16; ++fd) close(fd);
    ualarm(150000, 0);
    long result = syscall(number, argument, argument, argument, argument, argument, argument);
    answers[0] = result == -1 ? errno : 0;
    _exit(0);
  }
  for (int turn = 0; turn < 200; ++turn) {
    int status;
    pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) {
      if (WIFSIGNALED(status)) answers[0] = -WTERMSIG(status);
      return;
    }
    poll(NULL, 0, turn < 20 ? 0 : 5);
  }
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  answers[0] = -SIGALRM;
}

static void report(long number, long argument) {
  answers[0] = -SIGKILL;
  call_in_child(number, argument);
  say("%ld %ld %ld", number, argument, answers[0]);
}

int main(int count, char** words) {
  answers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const long odd[] = {-1, 0, 1, 0x10};
  const int rounds = count > 1 ? atoi(words[1]) : 4;
  for (int i = 0; i < rounds; ++i) {
    for (long number = 0; number < 1024; ++number) report(number, odd[i]);
  }
  const long strange[] = {-1,         0x7ffffff8, 0x7fffffff, 0x80000000,
                          0x80000008, 0xffffffff, 1L << 32,   65536};
  for (size_t i = 0; i < sizeof strange / sizeof *strange; ++i) report(strange[i], 0);
  return 0;
}
