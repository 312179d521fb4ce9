// Makes the kernel talk: crashes ROUNDS children, and asks for what is denied as often (T034).
#include "attempt.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(int count, char** words) {
  int rounds = count > 1 ? atoi(words[1]) : 100000, died = 0;
  for (int i = 0; i < rounds; ++i) {
    pid_t child = fork();
    if (child == 0) {
      *(volatile int*)16 = 1;
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    died += WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
    syscall(SYS_reboot, 0, 0, 0, 0);
  }
  say("attempt crash: %s", died == rounds ? "SIGSEGV" : "ok");
  attempt("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
  return 0;
}
