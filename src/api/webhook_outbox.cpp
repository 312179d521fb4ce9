#include "api/webhook_outbox.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>

#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"
#include "ledger/secrets.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

constexpr int kPollMs = 500;
constexpr std::size_t kMostOfOrigin = 2;  // at once, so that one slow receiver is not in the way
constexpr std::size_t kMostOfCaller = 4;
constexpr Nanoseconds kSenderPause = std::chrono::seconds(1);   // between two starts
constexpr Nanoseconds kSenderHangs = std::chrono::seconds(60);  // several deadlines of an attempt
constexpr Nanoseconds kPatienceAtEnd = std::chrono::seconds(2);
constexpr std::size_t kShortestSecret = 16;
constexpr std::size_t kMostSecrets = 2;

double chance() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

Status make_secret(const std::string& path) {
  const std::string fresh = path + ".new";
  TRY_ASSIGN(const Fd file,
             sys::open_file(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  TRY(sys::write_all(file.get(), ledger::random_hex(32) + "\n"));
  if (::fchmod(file.get(), 0600) != 0 || ::fsync(file.get()) != 0) return fail_errno(fresh);
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail_errno("rename: " + path);
  return {};
}

}  // namespace

Nanoseconds webhook_wait(Nanoseconds first, int attempts, double chance) {
  constexpr double kLongest = 3.0 * 3600 * 1e9;
  const double plain =
      static_cast<double>(first.count()) * std::pow(4.0, std::max(attempts, 1) - 1);
  return Nanoseconds(static_cast<std::int64_t>(std::min(plain, kLongest) * (0.75 + 0.5 * chance)));
}

std::string webhook_headers(const ledger::Delivery& delivery,
                            std::int64_t unix_seconds,
                            const std::vector<std::string>& secrets) {
  const std::string time = std::to_string(unix_seconds);
  const std::string text = time + "." + delivery.id + "." + delivery.body;
  std::string signatures;
  for (const std::string& secret : secrets) {
    signatures += (signatures.empty() ? "v1=" : ",v1=") + ledger::hmac_sha256_hex(secret, text);
  }
  return "Belljar-Run: " + delivery.run + "\r\nBelljar-Delivery: " + delivery.id +
         "\r\nBelljar-Timestamp: " + time + "\r\nBelljar-Signature: " + signatures + "\r\n";
}

Result<std::vector<std::string>> webhook_secrets(const std::string& state_dir) {
  const std::string path = state_dir + "/webhook.secret";
  auto text = sys::read_file(path.c_str(), 4 * kKiB);
  if (!text && text.error().sys == ENOENT) {
    TRY(make_secret(path));
    text = sys::read_file(path.c_str(), 4 * kKiB);
  }
  if (!text) return std::unexpected(text.error());
  std::vector<std::string> secrets;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.empty()) secrets.emplace_back(line);
  }
  const bool fine = !secrets.empty() && secrets.size() <= kMostSecrets &&
                    std::ranges::all_of(secrets, [](const std::string& each) {
                      return each.size() >= kShortestSecret;
                    });
  if (!fine) {
    return fail(Code::kInvalid, path + ": must have one or two lines of at least " +
                                    std::to_string(kShortestSecret) + " bytes");
  }
  return secrets;
}

WebhookOutbox::WebhookOutbox(const Settings& settings,
                             ledger::Store& store,
                             Metrics& metrics,
                             WebhookRules rules,
                             std::vector<std::string> secrets,
                             Connect connect,
                             Log log)
    : settings_(settings),
      store_(store),
      metrics_(metrics),
      rules_(std::move(rules)),
      secrets_(std::move(secrets)),
      connect_(std::move(connect)),
      log_(std::move(log)) {}

void WebhookOutbox::run(const std::stop_token& stop) {
  const Fd wake = Fd::adopt(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const std::stop_callback waker(stop, [&wake] { ::eventfd_write(wake.get(), 1); });
  Nanoseconds end = Nanoseconds::max();
  while (true) {
    if (stop.stop_requested() && end == Nanoseconds::max()) end = sys::now() + kPatienceAtEnd;
    const bool ending = end != Nanoseconds::max();
    if (ending && ((sent_.empty() && settled_.empty()) || sys::now() > end)) return;
    if (!ending) hand_out();
    // A negative descriptor is passed over, as poll(2) says.
    std::array<pollfd, 2> waits{
        pollfd{.fd = sender_.valid() ? sender_.get() : -1, .events = POLLIN, .revents = 0},
        pollfd{.fd = ending ? -1 : wake.get(), .events = POLLIN, .revents = 0}};
    ::poll(waits.data(), waits.size(), ending ? 50 : kPollMs);
    if (waits[0].revents != 0) take_reports();
    const bool hangs = std::ranges::any_of(
        sent_, [](const auto& each) { return each.second.since + kSenderHangs < sys::now(); });
    if (hangs) drop_sender("it hangs");
    record();
  }
}

// ---- Out -------------------------------------------------------------------------------------

void WebhookOutbox::hand_out() {
  // A ledger that takes no results gives no work either: what it forgot would be sent for ever.
  while (settled_.empty() && sent_.size() < kConcurrentWebhooks) {
    const auto more = hand_out_one();
    if (!more || !*more) return;
  }
}

ledger::Busy WebhookOutbox::busy() {
  ledger::Busy busy;
  std::erase_if(resting_, [](const auto& each) { return each.second <= sys::now(); });
  for (const auto& [origin, until] : resting_) busy.urls.push_back(origin + "/");
  std::map<std::string, std::size_t> origins, callers;
  for (const auto& [ticket, sent] : sent_) {
    busy.deliveries.push_back(sent.delivery);
    if (++origins[sent.origin] == kMostOfOrigin) busy.urls.push_back(sent.origin + "/");
    if (++callers[sent.caller] == kMostOfCaller) busy.callers.push_back(sent.caller);
  }
  return busy;
}

Result<bool> WebhookOutbox::hand_out_one() {
  TRY_ASSIGN(const std::vector<ledger::Delivery> due, store_.due(unix_ms(), 1, busy()));
  if (due.empty()) return false;
  const ledger::Delivery& delivery = due.front();
  // The rules may be others than when it was submitted.
  const auto url = check_webhook_url(rules_, delivery.url);
  if (!url) {
    const Sent sent{.delivery = delivery.id,
                    .run = delivery.run,
                    .caller = {},
                    .origin = {},
                    .attempts = delivery.attempts};
    settle(sent, Ending::kRefused, 0, url.error().message);
    record();
    return true;
  }
  if (!sender_.valid()) {
    if (sys::now() < next_sender_) return false;
    next_sender_ = sys::now() + kSenderPause;
    auto connected = connect_();
    if (!connected) {
      log_("webhook_sender_failed", {{"reason", repair_utf8(connected.error().message)}});
      return false;
    }
    sender_ = *std::move(connected);
    TRY(sys::set_nonblocking(sender_.get()));
  }
  if (const Nanoseconds wait = rate_.take(url->origin(), settings_.webhook_rate, sys::now());
      wait > Nanoseconds{}) {
    resting_[url->origin()] = sys::now() + wait;
    return true;  // the next one is somebody else's
  }
  if (const Status ordered = order(delivery, url->origin()); !ordered) {
    drop_sender(ordered.error().message);
    return false;
  }
  return true;
}

Status WebhookOutbox::order(const ledger::Delivery& delivery, std::string origin) {
  const std::string headers = webhook_headers(delivery, unix_ms() / 1000, secrets_);
  const WebhookOrder order{.ticket = ++last_ticket_,
                           .url_bytes = static_cast<std::uint32_t>(delivery.url.size()),
                           .header_bytes = static_cast<std::uint32_t>(headers.size())};
  TRY_ASSIGN(const Fd content,
             sys::sealed_memfd("belljar-webhook", delivery.url + headers + delivery.body));
  const int raw = content.get();
  TRY(sys::send_message(sender_.get(), {reinterpret_cast<const char*>(&order), sizeof order},
                        {&raw, 1}));
  sent_.emplace(order.ticket, Sent{.delivery = delivery.id,
                                   .run = delivery.run,
                                   .caller = delivery.caller,
                                   .origin = std::move(origin),
                                   .attempts = delivery.attempts,
                                   .since = sys::now()});
  return {};
}

// ---- Back ------------------------------------------------------------------------------------

void WebhookOutbox::take_reports() {
  while (sender_.valid()) {
    const auto message = sys::receive_message(sender_.get(), sizeof(WebhookReport));
    if (!message && message.error().sys == EAGAIN) return;
    if (!message || message->bytes.empty()) return drop_sender("it went away");
    if (message->bytes.size() != sizeof(WebhookReport))
      return drop_sender("it sent something else");
    // The sender talks to strangers: nothing in here is more than a claim about its own orders.
    WebhookReport report;
    std::memcpy(&report, message->bytes.data(), sizeof report);
    const auto found = sent_.find(report.ticket);
    const bool known = report.result == Ending::kDelivered || report.result == Ending::kFailed ||
                       report.result == Ending::kRefused;
    if (found == sent_.end() || !known) return drop_sender("it sent something else");
    const Sent sent = std::move(found->second);
    sent_.erase(found);
    const std::string_view text(report.text.data(),
                                ::strnlen(report.text.data(), report.text.size()));
    settle(sent, report.result, report.status, escape_for_terminal(text));
  }
}

void WebhookOutbox::drop_sender(const std::string& why) {
  if (sender_.valid()) log_("webhook_sender_ended", {{"reason", repair_utf8(why)}});
  sender_.reset();
  for (const auto& [ticket, sent] : sent_) settle(sent, Ending::kFailed, 0, "the sender ended");
  sent_.clear();
}

void WebhookOutbox::settle(const Sent& sent,
                           Ending ending,
                           unsigned status,
                           const std::string& text) {
  Settled settled{
      .delivery = sent.delivery, .delivered = ending == Ending::kDelivered, .text = text};
  const int attempt = sent.attempts + 1;
  std::string_view result = "refused";
  if (ending == Ending::kDelivered) {
    result = "delivered";
  } else if (ending == Ending::kFailed && attempt < kMostWebhookAttempts) {
    result = "failed";
    const Nanoseconds wait = webhook_wait(settings_.webhook_retry, attempt, chance());
    settled.next_ms = unix_ms() + wait.count() / 1'000'000;
  } else if (ending == Ending::kFailed) {
    result = "given_up";
  }
  metrics_.count("belljar_webhooks_total", "result=\"" + std::string(result) + "\"");
  // Not the whole URL: its path or query may be a secret of the receiver's.
  json::object facts{{"delivery", sent.delivery},
                     {"run", sent.run},
                     {"origin", sent.origin},
                     {"attempt", attempt},
                     {"result", result}};
  if (status != 0) facts["status"] = status;
  if (!text.empty()) facts["reason"] = text;
  log_("webhook", std::move(facts));
  settled_.push_back(std::move(settled));
}

void WebhookOutbox::record() {
  std::erase_if(settled_, [this](const Settled& each) {
    const Status done = each.delivered
                            ? store_.delivered(each.delivery)
                            : store_.not_delivered(each.delivery, each.next_ms, each.text);
    // Not there any more: its run was removed, and it with it.
    return done || done.error().code == Code::kNotFound;
  });
}

}  // namespace belljar::api
