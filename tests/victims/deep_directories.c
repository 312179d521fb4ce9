// Makes a chain of DEPTH directories, far beyond PATH_MAX, and leaves it to be cleaned up (T021).
#include "attempt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

int main(int count, char** words) {
  int depth = count > 1 ? atoi(words[1]) : 100000, made = 0;
  while (made < depth && mkdir("d", 0700) == 0 && chdir("d") == 0) ++made;
  attempt("chain", made == depth ? 0 : -1);
  char path[4096];
  attempt("getcwd", getcwd(path, sizeof path) == NULL ? -1 : 0);
  int fd = open("bottom.txt", O_CREAT | O_WRONLY, 0600);
  attempt("file at the bottom", fd);
  return 0;
}
