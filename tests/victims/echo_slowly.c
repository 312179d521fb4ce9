// Fills stdout before it has read its stdin: a deadlock for whoever writes first and reads later
// (T178).
#include <unistd.h>

int main(void) {
  static char block[4096];
  for (ssize_t size; (size = read(0, block, sizeof block)) > 0;) {
    for (int i = 0; i < 2; ++i) {
      if (write(1, block, (size_t)size) != size) return 1;
    }
  }
  return 0;
}
