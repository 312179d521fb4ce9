#include "engine/spare_sessions.h"

#include <utility>

#include "base/sys.h"

namespace belljar::engine {
namespace {

// So long after the last session somebody may still want one without waiting.
constexpr Nanoseconds kSpareLife = std::chrono::minutes(10);

}  // namespace

Result<std::unique_ptr<Session>> begin_session(WardenAccess& access,
                                               const PlannedSession& planned,
                                               const Policy& policy) {
  TRY_ASSIGN(warden::Client* const shared, access.client());
  Result<warden::Client> own = shared->connect();
  if (!own) {
    access.drop();
    return std::unexpected(own.error());
  }
  return Session::create(*std::move(own), planned.plan, policy, planned.submission);
}

std::unique_ptr<Session> SpareSessions::take(const std::string& language) {
  std::vector<Spare> dead;  // whose end is waited for without the lock
  const std::lock_guard lock(mutex_);
  wanted_ = sys::now();
  for (auto at = spares_.begin(); at != spares_.end();) {
    if (at->language != language) {
      ++at;
      continue;
    }
    Spare found = std::move(*at);
    at = spares_.erase(at);
    if (found.session->is_well()) return std::move(found.session);
    dead.push_back(std::move(found));
  }
  return nullptr;
}

void SpareSessions::make(const std::shared_ptr<const PlannedSession>& like, const Policy& policy) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || spares_.size() + coming_ >= most_) return;
    ++coming_;
  }
  const auto work = [this, like, &policy](WardenAccess& access) {
    auto made = begin_session(access, *like, policy);
    const bool more = made.has_value();
    {
      const std::lock_guard lock(mutex_);
      --coming_;
      if (more && !closed_) {
        spares_.push_back({.language = like->plan.manifest.name, .session = *std::move(made)});
      }
    }
    if (more) make(like, policy);
  };
  const auto give_up = [this](const Error& /*error*/) {
    const std::lock_guard lock(mutex_);
    --coming_;
  };
  const Limits& limits = like->plan.stages.run.limits;
  const Status taken = dispatcher_.submit({.caller = "spare sessions",
                                           .memory = limits.memory,
                                           .cpus_milli = limits.cpus_milli,
                                           .concurrent = 1,
                                           .deadline = sys::now() + patience_,
                                           .run = work,
                                           .give_up = give_up});
  if (!taken) give_up(taken.error());
}

void SpareSessions::forget_old(Nanoseconds now) {
  std::vector<Spare> forgotten;  // whose end is waited for without the lock
  const std::lock_guard lock(mutex_);
  if (now - wanted_ > kSpareLife) forgotten.swap(spares_);
}

void SpareSessions::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

}  // namespace belljar::engine
