// Its first thread ends while another works on; with "exec", that one executes a program (T078).
#include "attempt.h"

#include <pthread.h>

static pthread_t leader;

static void* work(void* program) {
  pthread_join(leader, NULL);
  say("attempt work on: ok");
  if (program) execl("/bin/sh", "sh", "-c", "echo attempt exec: ok; exit 5", NULL);
  _exit(5);
}

int main(int count, char** words) {
  leader = pthread_self();
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, count > 1 ? words[1] : NULL) != 0) return 1;
  pthread_exit(NULL);
}
