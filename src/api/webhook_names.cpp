#include "api/webhook_names.h"

#include <ares.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>

#include <cstring>
#include <memory>
#include <mutex>

#include "base/sys.h"
#include "base/text.h"

namespace belljar::api {
namespace {

struct Answer {
  bool over = false;
  int status = ARES_SUCCESS;
  std::vector<IpAddress> addresses;
};

std::vector<IpAddress> address_of(const sockaddr* address) {
  if (address == nullptr) return {};
  if (address->sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, address, sizeof four);
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &four.sin_addr, bytes.size());
    return {ip_v4(bytes)};
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, address, sizeof six);
    IpAddress made;
    std::memcpy(made.bytes.data(), &six.sin6_addr, made.bytes.size());
    return {made};
  }
  return {};
}

void take_answer(void* place, int status, int /*timeouts*/, ares_addrinfo* found) {
  auto& answer = *static_cast<Answer*>(place);
  answer.over = true;
  answer.status = status;
  if (found == nullptr) return;
  for (const ares_addrinfo_node* node = found->nodes; node != nullptr; node = node->ai_next) {
    for (const IpAddress& address : address_of(node->ai_addr)) answer.addresses.push_back(address);
  }
  ares_freeaddrinfo(found);
}

void process(ares_channel channel, Nanoseconds deadline) {
  std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
  const auto bits =
      static_cast<unsigned>(ares_getsock(channel, sockets.data(), ARES_GETSOCK_MAXNUM));
  std::array<pollfd, ARES_GETSOCK_MAXNUM> waits{};
  nfds_t count = 0;
  for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
    const bool reads = (bits >> i & 1) != 0, writes = (bits >> (i + ARES_GETSOCK_MAXNUM) & 1) != 0;
    if (!reads && !writes) continue;
    waits[count++] = {.fd = sockets[i],
                      .events = static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)),
                      .revents = 0};
  }
  const Nanoseconds left = std::max(deadline - sys::now(), Nanoseconds{});
  timeval most{.tv_sec = left.count() / 1'000'000'000,
               .tv_usec = left.count() % 1'000'000'000 / 1000};
  timeval until{};
  const timeval* const wait = ares_timeout(channel, &most, &until);
  const int ready =
      ::poll(waits.data(), count, static_cast<int>(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1));
  if (ready <= 0) {
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // its own timeouts
    return;
  }
  for (nfds_t i = 0; i < count; ++i) {
    const int got = waits[i].revents;
    if (got == 0) continue;
    const bool trouble = (got & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    ares_process_fd(channel, trouble || (got & POLLIN) != 0 ? waits[i].fd : ARES_SOCKET_BAD,
                    (got & POLLOUT) != 0 ? waits[i].fd : ARES_SOCKET_BAD);
  }
}

}  // namespace

Result<std::vector<IpAddress>> resolve(const std::string& host,
                                       const std::string& servers,
                                       Nanoseconds deadline) {
  static std::once_flag once;
  std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
  ares_options options{};
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  options.timeout = 2000;
  options.tries = 2;
  options.ndomains = 0;
  Answer answer;
  {
    ares_channel raw = nullptr;
    const int made = ares_init_options(
        &raw, &options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_DOMAINS);
    if (made != ARES_SUCCESS)
      return fail(Code::kUnavailable, std::string("c-ares: ") + ares_strerror(made));
    // Whatever is still asked when it goes answers with ARES_EDESTRUCTION, into `answer`.
    const std::unique_ptr<ares_channeldata, decltype(&ares_destroy)> channel(raw, &ares_destroy);
    if (!servers.empty() && ares_set_servers_ports_csv(raw, servers.c_str()) != ARES_SUCCESS) {
      return fail(Code::kUnavailable,
                  "webhook-dns: " + quote(servers) + " are no addresses of name servers");
    }
    // Unsorted: sorting would connect to the addresses before they are checked.
    const ares_addrinfo_hints hints{.ai_flags = ARES_AI_NOSORT,
                                    .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_protocol = 0};
    ares_getaddrinfo(raw, host.c_str(), nullptr, &hints, take_answer, &answer);
    while (!answer.over && sys::now() < deadline) process(raw, deadline);
  }
  if (answer.status != ARES_SUCCESS) {
    const bool late = answer.status == ARES_EDESTRUCTION || answer.status == ARES_ETIMEOUT;
    return fail(Code::kUnavailable,
                "the name " + quote(host) + " could not be looked up: " +
                    (late ? "no answer in time" : ares_strerror(answer.status)));
  }
  if (answer.addresses.empty()) {
    return fail(Code::kUnavailable, "the name " + quote(host) + " has no address");
  }
  return std::move(answer.addresses);
}

std::vector<IpAddress> own_addresses() {
  std::vector<IpAddress> own;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return own;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    for (const IpAddress& address : address_of(each->ifa_addr)) own.push_back(address);
  }
  ::freeifaddrs(list);
  return own;
}

}  // namespace belljar::api
