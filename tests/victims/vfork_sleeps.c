// Hangs in the kernel behind a child of vfork that never ends (T082).
#include <unistd.h>

int main(void) {
  if (vfork() == 0) {
    while (1) pause();
  }
  return 0;
}
