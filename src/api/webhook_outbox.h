// WebhookOutbox: takes what is due from the ledger, signs it, has it sent by another process, and
// records how that went. Every delivery is sent at least once, and again with the same id until
// somebody took it or its attempts are used up.
//
// Runs in: gateway, a thread of its own.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "api/metrics.h"
#include "api/settings.h"
#include "api/webhook_protocol.h"
#include "api/webhook_url.h"
#include "base/fd.h"
#include "engine/rate_window.h"
#include "ledger/store.h"

namespace belljar::api {

inline constexpr int kMostWebhookAttempts = 8;

// After the `attempts`th failure: `first`, and four times as long each time, at most three hours,
// each a quarter more or less by `chance` (0 to 1).
Nanoseconds webhook_wait(Nanoseconds first, int attempts, double chance);

// The header lines of one attempt, each with CR LF. Of "<seconds>.<delivery>.<body>" there is one
// signature for each secret.
std::string webhook_headers(const ledger::Delivery& delivery,
                            std::int64_t unix_seconds,
                            const std::vector<std::string>& secrets);

// The lines of STATE/webhook.secret, which is made with a random one where it is not there. Two
// while the receivers change from the old one to the new.
Result<std::vector<std::string>> webhook_secrets(const std::string& state_dir);

class WebhookOutbox {
 public:
  // A socket to a sender that was just started.
  using Connect = std::function<Result<Fd>()>;
  using Log = std::function<void(std::string_view event, boost::json::object facts)>;

  // The references are borrowed; they outlive it.
  WebhookOutbox(const Settings& settings,
                ledger::Store& store,
                Metrics& metrics,
                WebhookRules rules,
                std::vector<std::string> secrets,
                Connect connect,
                Log log);

  // Until it is stopped; then waits a moment for answers that are on their way.
  void run(const std::stop_token& stop);

 private:
  using Ending = WebhookReport::Result;

  struct Sent {
    std::string delivery, run, caller, origin;
    int attempts = 0;  // before this one
    Nanoseconds since{};
  };
  struct Settled {
    std::string delivery;
    bool delivered = false;
    std::int64_t next_ms = 0;
    std::string text;
  };

  void hand_out();
  // Whether there was one that could be handed out.
  Result<bool> hand_out_one();
  Status order(const ledger::Delivery& delivery, std::string origin);
  [[nodiscard]] ledger::Busy busy();
  void take_reports();
  void settle(const Sent& sent, Ending ending, unsigned status, const std::string& text);
  void record();
  // With a sender goes what it had in hand: it counts as an attempt, so that nothing that brings
  // senders down is sent for ever.
  void drop_sender(const std::string& why);

  const Settings& settings_;
  ledger::Store& store_;
  Metrics& metrics_;
  const WebhookRules rules_;
  const std::vector<std::string> secrets_;
  const Connect connect_;
  const Log log_;

  Fd sender_;
  Nanoseconds next_sender_{};  // not before
  std::uint64_t last_ticket_ = 0;
  std::map<std::uint64_t, Sent> sent_;
  // Many runs may name one receiver, which asked for none of them.
  engine::RateWindow rate_{std::chrono::minutes(1)};
  std::map<std::string, Nanoseconds> resting_;  // origins over their rate, and until when
  std::vector<Settled> settled_;                // not in the ledger yet
};

}  // namespace belljar::api
