// Fills memfds, seals them, hands them to a sibling and lets their maker go (T013).
#include "attempt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int send_fd(int socket, int fd) {
  char byte = 1, space[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return sendmsg(socket, &message, 0) == 1 ? 0 : -1;
}

int main(int count, char** words) {
  int pieces = count > 1 ? atoi(words[1]) : 1000, pair[2];
  static char block[1 << 20];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
  pid_t maker = fork();
  if (maker == 0) {
    for (int i = 0; i < pieces; ++i) {
      int fd = memfd_create("piece", MFD_ALLOW_SEALING);
      if (fd < 0 || write(fd, block, sizeof block) != (ssize_t)sizeof block) _exit(1);
      if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) _exit(2);
      if (send_fd(pair[0], fd) != 0) _exit(3);
      close(fd);
    }
    _exit(0);
  }
  close(pair[0]);
  int kept = 0;
  char byte, space[CMSG_SPACE(sizeof(int))];
  struct iovec part = {&byte, 1};
  while (kept < pieces) {
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    if (recvmsg(pair[1], &message, 0) != 1) break;
    ++kept;
  }
  waitpid(maker, NULL, 0);
  attempt("memfds", kept == pieces ? 0 : -1);
  return 0;
}
