#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
  sem_t lock;
  int sum;
  pid_t ids[4];
};

int main(void) {
  struct shared* const shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED || sem_init(&shared->lock, 1, 1) != 0) return 1;
  for (int number = 0; number < 4; ++number) {
    if (fork() != 0) continue;
    for (int n = number; n < 10; n += 4) {
      sem_wait(&shared->lock);
      shared->sum += n * n;
      sem_post(&shared->lock);
    }
    shared->ids[number] = getpid();
    _exit(0);
  }
  while (wait(NULL) > 0) continue;
  printf("4 processes summed squares to %d\n", shared->sum);
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < i; ++j) {
      if (shared->ids[i] == shared->ids[j] || shared->ids[i] == getpid()) return 2;
    }
  }
  printf("every process had an id of its own\n");
}
