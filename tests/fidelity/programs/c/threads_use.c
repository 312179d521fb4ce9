#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int count;

static void* work(void* name) {
  for (int i = 0; i < 1000; ++i) {
    pthread_mutex_lock(&lock);
    ++count;
    pthread_mutex_unlock(&lock);
  }
  return name;
}

int main(void) {
  static char names[4] = {'0', '1', '2', '3'};
  pthread_t threads[4];
  void* joined[4];
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, work, &names[i]);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], &joined[i]);
  printf("4 threads counted to %d\njoined", count);
  for (int i = 0; i < 4; ++i) printf(" %c", *(char*)joined[i]);
  printf("\n");
}
