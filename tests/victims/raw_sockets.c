// Opens sockets that see or make packets of any kind (T095).
#include "attempt.h"

#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
  attempt("raw", socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
  attempt("raw icmp", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  attempt("raw 6", socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
  attempt("ping", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
  attempt("packet", socket(AF_PACKET, SOCK_RAW, 0));
  attempt("packet dgram", socket(AF_PACKET, SOCK_DGRAM, 0));
  attempt("SOCK_PACKET", socket(AF_INET, SOCK_PACKET, 0));
  attempt("sctp", socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP));
  attempt("udplite", socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE));
  attempt("rdm", socket(AF_UNIX, SOCK_RDM, 0));
  return 0;
}
