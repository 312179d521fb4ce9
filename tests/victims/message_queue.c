// Opens a POSIX message queue, which a limit of the user and not of the cell would bound (T028).
#include "attempt.h"

#include <fcntl.h>
#include <mqueue.h>

int main(void) {
  attempt("mq_open", mq_open("/belljar", O_CREAT | O_RDWR, 0600, NULL));
  return 0;
}
