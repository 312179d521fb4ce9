// Waits for a signal that never comes, using no processor time (T002).
#include <unistd.h>

int main(void) {
  while (1) pause();
}
