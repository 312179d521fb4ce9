// Sets options that put programs, protocols and filters behind a socket (T098).
#include "attempt.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int main(void) {
  int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
  int udp6 = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
  attempt("ulp tls", setsockopt(tcp, IPPROTO_TCP, TCP_ULP, "tls", 4));
  attempt("ulp espintcp", setsockopt(tcp, IPPROTO_TCP, TCP_ULP, "espintcp", 9));
  attempt("ulp mptcp", setsockopt(tcp, IPPROTO_TCP, TCP_ULP, "mptcp", 6));
  struct sock_filter accept_all = {.code = BPF_RET | BPF_K, .k = ~0U};
  struct sock_fprog program = {.len = 1, .filter = &accept_all};
  attempt("filter", setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
  attempt("bpf", setsockopt(udp, SOL_SOCKET, SO_ATTACH_BPF, &one, sizeof one));
  attempt("reuseport bpf",
          setsockopt(udp, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program));
  attempt("bind to device", setsockopt(udp, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  attempt("mark", setsockopt(udp, SOL_SOCKET, SO_MARK, &one, sizeof one));
  attempt("iptables", setsockopt(udp, IPPROTO_IP, 64, &one, sizeof one));
  attempt("ip6tables", setsockopt(udp6, IPPROTO_IPV6, 64, &one, sizeof one));
  attempt("udp encapsulation", setsockopt(udp, IPPROTO_UDP, 100, &one, sizeof one));
  struct ip_mreq group = {.imr_multiaddr.s_addr = htonl(0xe0000101),
                          .imr_interface.s_addr = htonl(INADDR_LOOPBACK)};
  attempt("multicast", setsockopt(udp, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
  struct ipv6_mreq group6 = {.ipv6mr_interface = 1};
  group6.ipv6mr_multiaddr.s6_addr[0] = 0xff;
  group6.ipv6mr_multiaddr.s6_addr[1] = 0x02;
  attempt("multicast 6",
          setsockopt(udp6, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group6, sizeof group6));
  struct in6_flowlabel_req label = {
      .flr_dst = IN6ADDR_LOOPBACK_INIT, .flr_label = htonl(0x12345), .flr_share = IPV6_FL_S_EXCL,
      .flr_flags = IPV6_FL_F_CREATE};
  attempt("flow label", setsockopt(udp6, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, &label, sizeof label));
  attempt("packet level", setsockopt(udp, SOL_PACKET, 1, &one, sizeof one));
  attempt("nodelay", setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
  attempt("reuse address", setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  return 0;
}
