// Makes threads with the smallest stacks until it is refused; with COUNT, that many (T006, T018).
#include "attempt.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

static void* wait_for_ever(void* unused) {
  while (1) pause();
  return unused;
}

int main(int count, char** words) {
  int wanted = count > 1 ? atoi(words[1]) : 10000, made = 0, error = 0;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
  while (made < wanted && error == 0) {
    pthread_t thread;
    error = pthread_create(&thread, &small, wait_for_ever, NULL);
    if (error == 0) ++made;
  }
  errno = error;
  attempt("thread", error ? -1 : 0);
  say("made: %d", made);
  return 0;
}
