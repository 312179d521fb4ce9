// Sends sockets through sockets through sockets, closing each, MOST times or until it is refused
// (T016).
#include "attempt.h"

#include <stdlib.h>
#include <sys/socket.h>

int main(int count, char** words) {
  int outer[2], sent = 0, most = count > 1 ? atoi(words[1]) : 100000;
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, outer) != 0) return 1;
  while (sent < most) {
    int inner[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, inner) != 0) {
      attempt("open", -1);
      break;
    }
    char byte = 1, space[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(header), outer, sizeof outer);
    if (sendmsg(inner[0], &message, 0) != 1) {
      attempt("send", -1);
      break;
    }
    close(outer[0]);
    close(outer[1]);
    outer[0] = inner[0];
    outer[1] = inner[1];
    ++sent;
  }
  say("sent: %d", sent);
  return 0;
}
