// Moves pages between files, pipes and the kernel's ciphers (T112).
#include "attempt.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

int main(void) {
  int ends[2], file = open("file", O_CREAT | O_RDWR, 0600);
  static char block[4096];
  if (pipe(ends) != 0 || write(file, block, sizeof block) < 0) return 1;
  struct iovec part = {block, sizeof block};
  attempt("vmsplice", vmsplice(ends[1], &part, 1, SPLICE_F_GIFT));
  loff_t offset = 0;
  attempt("splice", splice(file, &offset, ends[1], NULL, 4096, 0));
  int other[2];
  if (pipe(other) != 0) return 1;
  attempt("tee", tee(ends[0], other[1], 4096, 0));
  attempt("AF_ALG", socket(38, SOCK_SEQPACKET, 0));
  int program = open("/usr/bin/env", O_RDONLY);
  offset = 0;
  attempt("splice of a shared file", splice(program, &offset, ends[1], NULL, 4096, 0));
  offset = 0;
  attempt("splice into a shared file", splice(ends[0], NULL, program, &offset, 4096, 0));
  return 0;
}
