#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

int main(void) {
  char said[16] = "";
  FILE* const child = popen("echo hello | tr a-z A-Z", "r");
  if (fscanf(child, "%15s", said) != 1 || pclose(child) != 0) return 1;
  printf("child said %s\n", said);
  printf("child exited with %d\n", WEXITSTATUS(system("exit 7")));
  char* const arguments[] = {"sleep", "60", NULL};
  pid_t sleeper;
  int status;
  if (posix_spawnp(&sleeper, "sleep", NULL, NULL, arguments, environ) != 0) return 2;
  kill(sleeper, SIGTERM);
  waitpid(sleeper, &status, 0);
  printf("child ended by signal %d\n", WTERMSIG(status));
}
