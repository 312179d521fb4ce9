// Runs code that it made: from a memfd, and from memory both writable and executable (T113).
#include "attempt.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

int main(void) {
  unsigned char* code =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  attempt("map", code == MAP_FAILED ? -1 : 0);
  memcpy(code, "\xb8\x2a\x00\x00\x00\xc3", 6);  // mov eax, 42; ret
  say("attempt made code: %s", ((int (*)(void))(void*)code)() == 42 ? "ok" : "wrong");
  int fd = memfd_create("program", 0), source = open("/bin/true", O_RDONLY);
  char block[65536];
  for (ssize_t size; (size = read(source, block, sizeof block)) > 0;) {
    if (write(fd, block, (size_t)size) != size) return 1;
  }
  pid_t child = fork();
  if (child == 0) {
    char *words[] = {"true", NULL}, *none[] = {NULL};
    fexecve(fd, words, none);
    _exit(99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  say("attempt memfd program: %s", status == 0 ? "ok" : "refused");
  return 0;
}
