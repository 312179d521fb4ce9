// Writes to STREAM (1, 2 or 12 for both) in pieces of SIZE bytes, TOTAL bytes or for ever (T176,
// T177).
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char** words) {
  int stream = count > 1 ? atoi(words[1]) : 1;
  size_t size = count > 2 ? strtoul(words[2], NULL, 10) : 65536;
  size_t left = count > 3 ? strtoul(words[3], NULL, 10) : (size_t)-1;
  char* block = malloc(size);
  memset(block, 'y', size);
  if (size > 1 && count <= 4) block[size - 1] = '\n';
  while (left > 0) {
    if (size > left) size = left;
    for (int fd = 1; fd <= 2; ++fd) {
      if (stream != 12 && stream != fd) continue;
      if (write(fd, block, size) < 0) return 1;
    }
    left -= size;
  }
  return 0;
}
