#include "warden/network.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/sys.h"
#include "base/units.h"
#include "cell/enter_processes.h"

namespace belljar::warden {
namespace {

// The first two tell of sockets that are there now. They have counters of the whole host beside
// those of the namespace (proc_net(5)), so of them only named fields are kept.
constexpr std::size_t kSocketRecords = 2;
constexpr std::array kRecordNames{"sockstat",      "sockstat6", "snmp",  "snmp6",     "dev",
                                  "ip6_flowlabel", "igmp",      "igmp6", "rt6_stats", "ipv6_route"};
constexpr std::size_t kMostText = 16 * kKiB;

// Steps into another network namespace and back. The warden is single-threaded; that it cannot
// come back is a broken invariant, for it would go on in the wrong one.
class Visit {
 public:
  static Result<Visit> begin() {
    TRY_ASSIGN(Fd home, sys::open_file("/proc/self/ns/net", O_RDONLY));
    return Visit(std::move(home));
  }
  Visit(Visit&&) = default;
  Visit& operator=(Visit&&) = delete;
  ~Visit() {
    if (home_.valid()) CHECK(::setns(home_.get(), CLONE_NEWNET) == 0);
  }

 private:
  explicit Visit(Fd home) : home_(std::move(home)) {}
  Fd home_;
};

std::string_view next_word(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  const std::string_view word = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return word;
}

// "TCP: inuse 0 orphan 3 tw 0 alloc 9 mem 1" has of the namespace `inuse` and `tw` alone.
void append_socket_counts(std::string& to, std::string_view text) {
  while (!text.empty()) {
    std::string_view line = next_word(text, '\n');
    to += next_word(line, ' ');
    while (!line.empty()) {
      const std::string_view name = next_word(line, ' ');
      const std::string_view count = next_word(line, ' ');
      if (name != "used" && name != "inuse" && name != "tw") continue;
      (to += ' ').append(name).append(" ").append(count);
    }
    to += '\n';
  }
}

}  // namespace

Result<Network> Network::make() {
  TRY_ASSIGN(const Visit visit, Visit::begin());
  if (::unshare(CLONE_NEWNET) != 0) return fail_errno("unshare network namespace");
  Network made;
  TRY_ASSIGN(made.ns_, sys::open_file("/proc/self/ns/net", O_RDONLY));
  return made;
}

Network Network::adopt(Fd ns, bool loopback) {
  Network adopted;
  adopted.ns_ = std::move(ns);
  adopted.loopback_ = loopback;
  return adopted;
}

Status Network::bring_loopback_up() {
  TRY_ASSIGN(const Visit visit, Visit::begin());
  if (::setns(ns_.get(), CLONE_NEWNET) != 0) return fail_errno("setns network namespace");
  if (!cell::bring_loopback_up()) return fail_errno("SIOCSIFFLAGS lo");
  loopback_ = true;
  before_.clear();
  return {};
}

Status Network::record() {
  static_assert(kRecordNames.size() == kRecords);
  TRY_ASSIGN(const Visit visit, Visit::begin());
  if (::setns(ns_.get(), CLONE_NEWNET) != 0) return fail_errno("setns network namespace");
  for (std::size_t i = 0; i < kRecords; ++i) {
    const std::string path = std::string("/proc/thread-self/net/") + kRecordNames[i];
    Result<Fd> file = sys::open_file(path.c_str(), O_RDONLY);
    // A kernel without IPv6 has fewer.
    if (!file && file.error().code != Code::kNotFound) return std::unexpected(file.error());
    if (file) records_[i] = *std::move(file);
  }
  // Of the namespace of who opens it. Where /proc/sys is read-only, as a hardened unit has it,
  // there is no record, and it serves one cell alone.
  Result<Fd> flush = sys::open_file("/proc/sys/net/ipv4/route/flush", O_WRONLY);
  if (!flush) return {};
  flush_ = *std::move(flush);
  TRY_ASSIGN(before_, read());
  return {};
}

bool Network::renew() const {
  if (!is_recorded()) return false;
  const Result<std::string> now = read();
  return now && *now == before_ && ::pwrite(flush_.get(), "1", 1, 0) == 1;
}

Result<std::string> Network::read() const {
  std::string text;
  std::array<char, kMostText> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled
  for (std::size_t i = 0; i < kRecords; ++i) {
    if (!records_[i].valid()) continue;
    const ssize_t got = ::pread(records_[i].get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return fail_errno("read what a network namespace tells");
    const std::string_view all(buffer.data(), static_cast<std::size_t>(got));
    if (i < kSocketRecords) {
      append_socket_counts(text, all);
    } else {
      text += all;
    }
  }
  return text;
}

}  // namespace belljar::warden
