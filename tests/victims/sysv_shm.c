// Takes shared memory segments of MIB mebibytes, touches them, detaches and forgets them (T014).
#include "attempt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

int main(int count, char** words) {
  size_t size = (size_t)(count > 1 ? atoi(words[1]) : 1024) << 20;
  int segments = count > 2 ? atoi(words[2]) : 64;
  for (int i = 0; i < segments; ++i) {
    int segment = shmget(0x5eed0000 + i, size, IPC_CREAT | 0666);
    if (segment < 0) {
      attempt("segments", -1);
      return 0;
    }
    char* place = shmat(segment, NULL, 0);
    memset(place, 1, size);
    shmdt(place);
  }
  attempt("segments", 0);
  return 0;
}
