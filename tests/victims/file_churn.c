// Makes and removes COUNT files and looks for ten times as many that are not there (T019).
#include "attempt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

int main(int count, char** words) {
  int files = count > 1 ? atoi(words[1]) : 1000000;
  char name[64];
  for (int i = 0; i < files; ++i) {
    snprintf(name, sizeof name, "/tmp/file-%d", i);
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    if (fd < 0 || close(fd) != 0 || unlink(name) != 0) {
      attempt("churn", -1);
      return 0;
    }
  }
  struct stat status;
  for (int i = 0; i < 10 * files; ++i) {
    snprintf(name, sizeof name, "/tmp/absent-%d", i);
    stat(name, &status);
  }
  attempt("churn", 0);
  return 0;
}
