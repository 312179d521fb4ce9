// Asks for handles of files and opens by handle, which goes around every path check (T066).
#include "attempt.h"

#include <fcntl.h>
#include <stdlib.h>

int main(void) {
  struct file_handle* handle = calloc(1, sizeof *handle + MAX_HANDLE_SZ);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  attempt("name_to_handle_at", name_to_handle_at(AT_FDCWD, "/dev/shm", handle, &mount, 0));
  int top = open("/dev/shm", O_RDONLY);
  if (handle->handle_bytes == MAX_HANDLE_SZ) handle->handle_bytes = 12;
  attempt("open_by_handle_at", open_by_handle_at(top, handle, O_RDONLY));
  return 0;
}
