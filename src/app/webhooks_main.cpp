#include "app/webhooks_main.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "api/settings.h"
#include "api/webhook_protocol.h"
#include "api/webhook_sender.h"
#include "app/confinement.h"
#include "app/log.h"
#include "app/service_protocol.h"
#include "base/sys.h"
#include "base/text.h"

namespace belljar::app {
namespace {

constexpr std::size_t kMostSettings = 1 * kMiB;
constexpr std::size_t kMostAuthorities = 8 * kMiB;
// Where systems keep the authorities that they trust.
constexpr const char* kAuthorities[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

Result<std::string> authorities(const api::Settings& settings) {
  if (!settings.webhook_ca.empty())
    return sys::read_file(settings.webhook_ca.c_str(), kMostAuthorities);
  for (const char* const path : kAuthorities) {
    if (auto text = sys::read_file(path, kMostAuthorities)) return text;
  }
  log_event("webhooks_without_tls",
            {{"reason", "this host has no file of authorities; see webhook-ca"}});
  return std::string();
}

Result<std::string> content_of(const Fd& memfd) {
  struct stat file{};
  if (::fstat(memfd.get(), &file) != 0) return fail_errno("fstat");
  std::string content(static_cast<std::size_t>(file.st_size), '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = ::pread(memfd.get(), content.data() + done, content.size() - done,
                                static_cast<off_t>(done));
    if (got <= 0) return fail_errno("read the order");
    done += static_cast<std::size_t>(got);
  }
  return content;
}

// One order, from the gateway to the report.
Status serve_one(const api::WebhookSender& sender) {
  TRY_ASSIGN(sys::Message message,
             sys::receive_message(kSenderGatewayFd, sizeof(api::WebhookOrder)));
  if (message.bytes.empty()) ::_exit(0);
  api::WebhookOrder order;
  if (message.bytes.size() != sizeof order || message.fds.size() != 1) {
    return fail(Code::kInvalid, "the gateway sent something else than an order");
  }
  std::memcpy(&order, message.bytes.data(), sizeof order);
  TRY_ASSIGN(const std::string content, content_of(message.fds.front()));
  const std::size_t before = std::size_t{order.url_bytes} + order.header_bytes;
  if (before > content.size()) return fail(Code::kInvalid, "the gateway sent half of an order");
  const std::string_view all = content;
  const api::WebhookAttempt attempt =
      sender.send(all.substr(0, order.url_bytes), all.substr(order.url_bytes, order.header_bytes),
                  all.substr(before));
  api::WebhookReport report{.ticket = order.ticket,
                            .status = static_cast<std::uint16_t>(attempt.status),
                            .result = attempt.result};
  const std::string_view text = cut_utf8(attempt.text, report.text.size() - 1);
  std::ranges::copy(text, report.text.begin());
  return sys::send_message(kSenderGatewayFd,
                           {reinterpret_cast<const char*>(&report), sizeof report}, {});
}

Status run(uid_t uid) {
  for (const int fd : {kSenderGatewayFd, kSenderSettingsFd}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  // Proxies, aliases of names, settings of libraries: nothing of that is for us.
  ::clearenv();
  TRY_ASSIGN(const std::string text, sys::read_file("/proc/self/fd/4", kMostSettings));
  ::close(kSenderSettingsFd);
  api::Settings settings;
  TRY(api::read_toml(settings, text, "settings"));
  TRY_ASSIGN(api::WebhookRules rules, api::webhook_rules(settings));
  TRY_ASSIGN(const std::string pem, authorities(settings));
  TRY(confine_sender(uid));
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const rlimit files{.rlim_cur = 256, .rlim_max = 256};
  ::setrlimit(RLIMIT_NOFILE, &files);
  TRY_ASSIGN(api::TlsContext context, api::TlsContext::create(pem));
  const api::WebhookSender sender(std::move(rules), settings.webhook_dns, std::move(context));

  // Each takes the next order from the same socket, and the kernel gives an order to one of them.
  std::vector<std::jthread> workers;
  for (std::size_t i = 0; i < api::kConcurrentWebhooks; ++i) {
    workers.emplace_back([&sender] {
      while (true) {
        if (const Status served = serve_one(sender); !served) {
          log_event("webhooks_failed", {{"reason", repair_utf8(served.error().message)}});
          ::_exit(1);
        }
      }
    });
  }
  // Without a gateway there is nobody to report to.
  pollfd gone{.fd = kSenderGatewayFd, .events = 0, .revents = 0};
  while (::poll(&gone, 1, -1) <= 0) {
  }
  ::_exit(0);
}

}  // namespace

int webhooks_main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto uid = argc > 2 ? parse_count(argv[2]) : fail(Code::kInvalid, "no uid");
  const Status status = uid ? run(static_cast<uid_t>(*uid)) : Status(std::unexpected(uid.error()));
  log_event("webhooks_failed", {{"reason", repair_utf8(status.error().message)}});
  return 1;
}

}  // namespace belljar::app
