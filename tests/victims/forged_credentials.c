// Forges the credentials of a message, and sends more descriptors than fit (T090).
#include "attempt.h"

#include <stdlib.h>
#include <sys/socket.h>

static long forge(int socket, pid_t pid, uid_t uid) {
  char byte = 1, space[CMSG_SPACE(sizeof(struct ucred))] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_CREDENTIALS;
  header->cmsg_len = CMSG_LEN(sizeof(struct ucred));
  struct ucred who = {.pid = pid, .uid = uid, .gid = getgid()};
  memcpy(CMSG_DATA(header), &who, sizeof who);
  return sendmsg(socket, &message, 0);
}

static long send_many(int socket, int count) {
  size_t size = CMSG_SPACE(sizeof(int) * (size_t)count);
  char byte = 1, *space = calloc(1, size);
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = size};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
  return sendmsg(socket, &message, 0);
}

int main(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
  attempt("own credentials", forge(pair[0], getpid(), getuid()));
  attempt("credentials of init", forge(pair[0], 1, getuid()));
  attempt("credentials of root", forge(pair[0], getpid(), 0));
  attempt("253 descriptors", send_many(pair[0], 253));
  attempt("254 descriptors", send_many(pair[0], 254));
  for (int fd = 0; fd < 3; ++fd) {
    int kind = 0;
    socklen_t size = sizeof kind;
    char what[32];
    snprintf(what, sizeof what, "socket at %d", fd);
    attempt(what, getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size));
  }
  return 0;
}
