#include "engine/local_session_host.h"

#include <algorithm>
#include <utility>

#include "base/id.h"
#include "base/pause.h"
#include "base/sys.h"
#include "base/text.h"

namespace belljar::engine {
namespace {

constexpr std::size_t kMostEnded = 1000;  // sessions that are still shown
// So long an ended session is still shown, with what ended it.
constexpr Nanoseconds kShownAfterEnd = std::chrono::minutes(10);

std::string_view driver_op(ContextChange change) {
  switch (change) {
    case ContextChange::kCreate:
      return "create_context";
    case ContextChange::kRestart:
      return "restart_context";
    case ContextChange::kRemove:
      break;
  }
  return "remove_context";
}

Result<FilesAnswer> done_with_files(Session& session, const FileWish& wish, std::uint64_t most) {
  FilesAnswer answer;
  switch (wish.action) {
    case FileAction::kList: {
      TRY_ASSIGN(answer.list, session.list_files());
      break;
    }
    case FileAction::kRead: {
      TRY_ASSIGN(answer.content, session.read_file(wish.path, most));
      break;
    }
    case FileAction::kWrite:
      TRY(session.write_file(wish.path, wish.content));
      break;
    case FileAction::kRemove:
      TRY(session.remove_file(wish.path));
      break;
  }
  return answer;
}

ExecutionEnd end_of(const ExecutionOrder& order) {
  ExecutionEnd end;
  end.id = order.id;
  end.session = order.session.id;
  end.context = order.context;
  end.note = order.note;
  end.ended_ms = unix_ms();
  return end;
}

}  // namespace

SessionView view_of(const SessionOrder& order) {
  SessionView view;
  view.address = order.address;
  view.caller = order.caller;
  view.policy = order.policy->name;
  view.language = order.planned->plan.manifest.name;
  view.note = order.note;
  view.created_ms = order.created_ms;
  view.ttl = order.ttl;
  view.idle = order.idle;
  view.limits = order.planned->plan.stages.run.limits;
  view.contexts = {std::string(kDefaultContext)};
  return view;
}

LocalSessionHost::LocalSessionHost(Dispatcher& dispatcher, const SessionSettings& settings)
    : dispatcher_(dispatcher),
      settings_(settings),
      spares_(dispatcher, settings.spares, settings.queue_wait),
      watcher_([this](const std::stop_token& stop) { watch(stop); }) {}

LocalSessionHost::~LocalSessionHost() = default;

void LocalSessionHost::close() {
  close("the service was stopped");
}

void LocalSessionHost::close(const std::string& reason) {
  spares_.close();
  watcher_.request_stop();
  if (watcher_.joinable()) watcher_.join();
  std::vector<Shared> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, live] : sessions_) all.push_back(live);
  }
  for (const Shared& live : all) end(*live, {.by = "stopped", .reason = reason}, {});
}

std::map<std::string, std::size_t> LocalSessionHost::by_caller() {
  std::map<std::string, std::size_t> counts;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, live] : sessions_) {
    const std::lock_guard inner(live->mutex);
    if (!live->ended) ++counts[live->base.caller];
  }
  return counts;
}

std::size_t LocalSessionHost::count() {
  std::size_t all = 0;
  for (const auto& [caller, sessions] : by_caller()) all += sessions;
  return all;
}

bool LocalSessionHost::is_executing() {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(sessions_, [](const auto& each) {
    const std::lock_guard inner(each.second->mutex);
    return !each.second->ended && !each.second->pending.empty();
  });
}

Result<LocalSessionHost::Shared> LocalSessionHost::known(const SessionAddress& session) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(session.id);
  if (found == sessions_.end()) return fail(Code::kNotFound, "there is no session of this id");
  return found->second;
}

Result<SessionView> LocalSessionHost::find(const SessionAddress& session) {
  TRY_ASSIGN(const Shared live, known(session));
  const std::lock_guard lock(live->mutex);
  return live->view_locked();
}

Result<std::vector<SessionView>> LocalSessionHost::list(const std::string& caller) {
  std::vector<SessionView> views;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, live] : sessions_) {
    if (live->base.caller != caller) continue;
    const std::lock_guard inner(live->mutex);
    views.push_back(live->view_locked());
  }
  return views;
}

// ---- Creation --------------------------------------------------------------------------------

// A frozen session keeps its memory. What it may still grow by is asked for with each execution.
Status LocalSessionHost::may_grow(const LiveSession& live) {
  const std::lock_guard lock(mutex_);
  std::uint64_t others = 0;
  for (const auto& [id, other] : sessions_) {
    if (other.get() == &live) continue;
    const std::lock_guard inner(other->mutex);
    if (!other->ended) others += other->held;
  }
  const std::uint64_t own = live.base.limits.memory;
  if (others + own <= settings_.memory) return {};
  return fail(Code::kExhausted, "the sessions hold " + format_bytes(others) + ": with this one's " +
                                    format_bytes(own) + " it were more than " +
                                    format_bytes(settings_.memory));
}

// Room is counted and taken at once.
Status LocalSessionHost::add(const Shared& live) {
  const std::lock_guard lock(mutex_);
  std::size_t all = 0;
  std::size_t own = 0;
  for (const auto& [id, other] : sessions_) {
    const std::lock_guard inner(other->mutex);
    if (other->ended) continue;
    ++all;
    if (other->base.caller == live->base.caller) ++own;
  }
  if (own >= settings_.most_per_caller) {
    return fail(Code::kExhausted, "you have " + std::to_string(own) +
                                      " sessions, as many as one caller may: quit one");
  }
  if (all >= settings_.most) {
    return fail(Code::kExhausted,
                "there are " + std::to_string(all) + " sessions, as many as this service keeps");
  }
  sessions_.emplace(live->base.address.id, live);
  return {};
}

void LocalSessionHost::create(SessionOrder order, const Answer& answer) {
  const auto live = std::make_shared<LiveSession>();
  live->base = view_of(order);
  live->rules = order.policy;
  live->kind = order.planned->plan.manifest.session;
  live->title = order.planned->plan.manifest.title;
  live->concurrent = order.concurrent;
  live->used = sys::now();
  live->deadline = live->used + order.ttl;
  // It is whole before anybody can find it: with its session, or with the work that makes one. And
  // until its creation has been told nobody else tells of its end.
  live->busy = true;
  if (order.plain) {
    if (auto spare = spares_.take(live->base.language)) {
      begun(*live, std::move(spare));
      if (const Status added = add(live); !added) return answer(std::unexpected(added.error()));
      answer(find(live->base.address));
      release(*live);
      pump(live);
      return spares_.make(order.planned, *order.policy);
    }
  }
  if (const Status added = add(live); !added) return answer(std::unexpected(added.error()));
  const auto refuse = [live, answer](const Error& error) {
    {
      const std::lock_guard lock(live->mutex);
      live->ended = true;
      if (live->why.reason.empty()) live->why = {.by = "failed", .reason = error.message};
    }
    answer(std::unexpected(error));
  };
  live->items.push_back({.work = [this, live, answer, order = std::move(order)](
                                     WardenAccess& access) { begin(live, order, access, answer); },
                         .give_up = refuse});
  live->busy = false;
  pump(live);
}

void LocalSessionHost::begun(LiveSession& live, std::unique_ptr<Session> session) {
  live.session = std::move(session);
  live.used = sys::now();
  note_locked(live);
}

void LocalSessionHost::note_locked(const LiveSession& live) const {
  if (settings_.keeps) live.note_locked();
}

void LocalSessionHost::begin(const Shared& live,
                             const SessionOrder& order,
                             WardenAccess& access,
                             const Answer& answer) {
  auto made = begin_session(access, *order.planned, *order.policy);
  Result<SessionView> view = fail(Code::kUnavailable, made ? "" : made.error().message);
  {
    const std::lock_guard lock(live->mutex);
    live->used = sys::now();
    if (made) {
      begun(*live, *std::move(made));
      view = live->view_locked();
    } else {
      live->ended = true;
      live->why = {.by = "failed", .reason = made.error().message};
    }
  }
  const bool more = view.has_value() && order.plain;
  answer(std::move(view));
  if (more) spares_.make(order.planned, *order.policy);
}

void LocalSessionHost::adopt(const WardenAccess::Connect& connect,
                             const runtime::Catalog& catalog,
                             const Policies& policies,
                             const std::function<void(const SessionView*)>& told) {
  constexpr int kMostTries = 10'000;
  constexpr int kMostLost = 100;  // then something is wrong with us and not with them
  int lost = 0;
  for (int i = 0; i < kMostTries; ++i) {
    auto client = connect();
    if (!client) return;
    const auto live = std::make_shared<LiveSession>();
    auto kept = Session::adopt(
        *std::move(client),
        [&](const std::string& note) -> Result<std::pair<Limits, OnOutputLimit>> {
          TRY(read_note(note, *live));
          TRY_ASSIGN(const runtime::Manifest manifest, catalog.by_name(live->base.language));
          live->kind = manifest.session;
          live->title = manifest.title;
          TRY_ASSIGN(live->rules, policies(live->base.policy));
          return std::pair(live->base.limits, live->rules->on_output_limit);
        });
    if (kept && !*kept) return;
    if (!kept) {
      told(nullptr);
      if (++lost > kMostLost) return;
      continue;
    }
    begun(*live, std::move((*kept)->session));
    const SessionView view = live->view_locked();
    told(&view);
    const std::lock_guard lock(mutex_);
    sessions_.emplace(view.address.id, live);
  }
}

// No execution is begun again, and what the warden kept is here by now.
void LocalSessionHost::look_after(const SessionAddress& session, const std::string& execution) {
  if (!execution.empty()) {
    owner_->on_lost(session, execution, "the service stopped while this was executed");
  } else if (!known(session)) {
    owner_->on_lost(session, "", "the warden that held it has ended, or the service was stopped");
  }
}

// ---- What is done in a session ---------------------------------------------------------------

void LocalSessionHost::put(const Shared& live,
                           std::function<void(WardenAccess&)> work,
                           const std::function<void(const Error&)>& give_up) {
  const Status refused = [&]() -> Status {
    const std::lock_guard lock(live->mutex);
    TRY(live->may_wait_locked());
    live->items.push_back({.work = std::move(work), .give_up = give_up});
    return {};
  }();
  if (!refused) return give_up(refused.error());
  pump(live);
}

// Has a worker take the first item, if there is one and none is being worked on.
void LocalSessionHost::pump(const Shared& live) {
  for (;;) {
    {
      const std::lock_guard lock(live->mutex);
      if (live->busy || live->items.empty()) return;
      live->busy = true;
    }
    const auto give_up = [this, live](const Error& error) {
      give_up_first(*live, error);
      pump(live);
    };
    const Status taken =
        dispatcher_.submit({.caller = live->base.caller,
                            .memory = live->base.limits.memory,
                            .cpus_milli = live->base.limits.cpus_milli,
                            .concurrent = live->concurrent,
                            .deadline = sys::now() + settings_.queue_wait,
                            .run = [this, live](WardenAccess& access) { work_off(live, access); },
                            .give_up = give_up});
    if (taken) return;
    give_up_first(*live, taken.error());
  }
}

void LocalSessionHost::give_up_first(LiveSession& live, const Error& error) {
  const LiveSession::Item item = live.take_first();
  if (item.give_up) item.give_up(error);
  release(live);
}

void LocalSessionHost::work_off(const Shared& live, WardenAccess& access) {
  const LiveSession::Item item = live->take_first();
  if (item.work) item.work(access);
  release(*live);
  pump(live);
}

// Nobody works on it any more. Whoever sees that it has ended takes it down.
void LocalSessionHost::release(LiveSession& live) {
  std::unique_ptr<Session> session;
  std::deque<LiveSession::Item> given_up;
  std::vector<std::function<void()>> gone;
  {
    const std::lock_guard lock(live.mutex);
    live.busy = false;
    if (live.session != nullptr && live.session->is_over()) live.ended = true;
    if (!live.ended) return;
    if (live.why.reason.empty()) live.why = {.by = "died", .reason = "its cell has ended"};
    live.used = sys::now();
    if (!live.last) live.last = live.view_locked();
    session = std::move(live.session);
    given_up.swap(live.items);
    gone.swap(live.gone);
  }
  for (const LiveSession::Item& item : given_up) {
    item.give_up(session_has_ended(live.why.reason).error());
  }
  if (session != nullptr) {
    session.reset();
    // What cannot be told now is found out by whoever looks after it.
    (void)owner_->on_session_end(*live.last);
  }
  for (const auto& each : gone) each();
}

// What waits is given up, what is executed is ended with its cell; `gone` is called when nothing of
// it is left.
void LocalSessionHost::end(LiveSession& live, LiveSession::End why, std::function<void()> gone) {
  {
    const std::lock_guard lock(live.mutex);
    if (live.why.reason.empty()) live.why = std::move(why);
    live.ended = true;
    if (gone) live.gone.push_back(std::move(gone));
    if (live.busy) {
      if (live.session != nullptr) live.session->stop();
      return;
    }
    live.busy = true;
  }
  release(live);
}

void LocalSessionHost::quit(const SessionAddress& session, const Answer& answer) {
  const Result<Shared> live = known(session);
  if (!live) return answer(std::unexpected(live.error()));
  end(**live, {.by = "quit", .reason = "quit"},
      [this, address = (*live)->base.address, answer] { answer(find(address)); });
}

Status LocalSessionHost::execute(ExecutionOrder order,
                                 std::shared_ptr<ExecutionListener> listener,
                                 const std::function<Status()>& accept) {
  TRY_ASSIGN(const Shared live, known(order.session));
  const auto execution = std::make_shared<LiveSession::Pending>();
  execution->since = sys::now();
  execution->order = std::move(order);
  execution->listener = std::move(listener);
  const bool refused = execution->order.refused;
  const Status room = refused ? Status() : may_grow(*live);
  {
    const std::lock_guard lock(live->mutex);
    TRY(live->check_locked(execution->order));
    TRY(room);
    if (!refused) live->pending.push_back(execution);
  }
  if (const Status accepted = accept(); !accepted) {
    withdraw(*live, *execution);
    return accepted;
  }
  if (refused) return {};
  const auto give_up = [live, execution](const Error& error) {
    withdraw(*live, *execution);
    ExecutionEnd end = end_of(execution->order);
    end.made = std::unexpected(error);
    execution->listener->on_end(std::move(end));
  };
  put(
      live,
      [this, live, execution, give_up](WardenAccess& /*access*/) {
        if (execution->cancelled) {
          return give_up({.code = Code::kUnavailable, .message = "its client went away"});
        }
        perform(*live, *execution);
      },
      give_up);
  return {};
}

void LocalSessionHost::withdraw(LiveSession& live, const LiveSession::Pending& execution) {
  const std::lock_guard lock(live.mutex);
  std::erase_if(live.pending, [&](const auto& each) { return each.get() == &execution; });
}

void LocalSessionHost::perform(LiveSession& live, LiveSession::Pending& execution) {
  const ExecutionOrder& order = execution.order;
  const Limits limits = belljar::apply(live.base.limits, order.limits);
  {
    const std::lock_guard lock(live.mutex);
    live.current = &execution;
    if (live.ended) live.session->stop();
  }
  ExecutionEnd end = end_of(order);
  end.started = true;
  end.started_ms = unix_ms();
  execution.listener->on_start();
  const Nanoseconds since = sys::now();
  // Only a worker changes the pointer, and this is the worker.
  end.made = live.session->execute(order.context, order.code, order.env, limits,
                                   *execution.listener, order.marshalled);
  end.took = sys::now() - since;
  end.queued = since - execution.since;
  end.ended_ms = unix_ms();
  {
    const std::lock_guard lock(live.mutex);
    live.current = nullptr;
    std::erase_if(live.pending, [&](const auto& each) { return each.get() == &execution; });
    live.used = sys::now();
    ++live.executions;
    if (end.made) live.held = end.made->usage.peak_memory;
    // Whoever hears how it ended finds the session ended too.
    if (live.session->is_over()) {
      live.ended = true;
      if (live.why.reason.empty()) {
        const bool lost = !end.made && end.made.error().code == Code::kUnavailable;
        live.why = {.by = lost ? "lost" : "died",
                    .reason = end.made ? end.made->reason : end.made.error().message};
      }
    }
  }
  execution.listener->on_end(std::move(end));
  const std::lock_guard lock(live.mutex);
  note_locked(live);
}

void LocalSessionHost::cancel(const SessionAddress& session, const std::string& execution) {
  const Result<Shared> live = known(session);
  if (!live) return;
  const std::lock_guard lock((*live)->mutex);
  const auto pending = (*live)->pending_locked(execution);
  if (!pending) return;
  pending->cancelled = true;
  if ((*live)->current == pending.get()) (*live)->session->interrupt();
}

Status LocalSessionHost::interrupt(const SessionAddress& session, const std::string& execution) {
  TRY_ASSIGN(const Shared live, known(session));
  const std::lock_guard lock(live->mutex);
  if (execution.empty() && live->ended) return session_has_ended(live->why.reason);
  if (execution.empty() && live->current == nullptr) {
    return fail(Code::kConflict, "nothing is executed in this session now");
  }
  if (!execution.empty() && (live->current == nullptr || live->current->order.id != execution)) {
    return fail(Code::kConflict, "it is not executed now");
  }
  live->session->interrupt();
  return {};
}

Result<SessionView> LocalSessionHost::set_paused(const SessionAddress& session, bool paused) {
  TRY_ASSIGN(const Shared live, known(session));
  const std::lock_guard lock(live->mutex);
  if (live->ended) return session_has_ended(live->why.reason);
  if (paused && live->session == nullptr) {
    return fail(Code::kConflict, "the session has not begun yet");
  }
  if (paused && !live->pending.empty()) {
    return fail(Code::kConflict,
                "something is executed in this session, or waits: it can be paused after that");
  }
  live->paused = paused;
  live->used = sys::now();
  note_locked(*live);
  return live->view_locked();
}

void LocalSessionHost::use_files(const SessionAddress& session,
                                 FileWish wish,
                                 const AnswerFiles& answer) {
  const auto found = [&]() -> Result<Shared> {
    TRY_ASSIGN(const Shared live, known(session));
    if (wish.action != FileAction::kList) TRY(check_path(wish.path));
    if (wish.action == FileAction::kWrite) TRY(may_grow(*live));
    return live;
  }();
  if (!found) return answer(std::unexpected(found.error()));
  put(
      *found,
      [live = *found, wish = std::move(wish), answer](WardenAccess& /*access*/) {
        auto done = done_with_files(*live->session, wish, live->base.limits.artifacts);
        {
          const std::lock_guard lock(live->mutex);
          live->used = sys::now();
          if (done && wish.action == FileAction::kWrite) live->held += wish.content.size();
        }
        answer(std::move(done));
      },
      [answer](const Error& error) { answer(std::unexpected(error)); });
}

void LocalSessionHost::change_context(const SessionAddress& session,
                                      ContextChange change,
                                      const std::string& context,
                                      const std::string& cwd,
                                      const Answer& answer) {
  const Result<Shared> found = known(session);
  if (!found) return answer(std::unexpected(found.error()));
  const Shared& live = *found;
  const Status refused = [&] {
    const std::lock_guard lock(live->mutex);
    return live->check_locked(change, context);
  }();
  if (!refused) return answer(std::unexpected(refused.error()));
  put(
      live,
      [this, live, change, context, answer, cwd](WardenAccess& /*access*/) {
        const auto done = live->session->change_context(driver_op(change), context, cwd);
        answer([&]() -> Result<SessionView> {
          const std::lock_guard lock(live->mutex);
          live->used = sys::now();
          if (!done) return std::unexpected(done.error());
          if (done->status != ExecutionStatus::kOk) {
            if (done->reason.starts_with("cwd: ")) return fail(Code::kInvalid, done->reason);
            return fail(Code::kUnavailable, "the interpreter did not do it: " + done->reason);
          }
          if (change == ContextChange::kCreate) live->contexts.insert(context);
          if (change == ContextChange::kRemove) live->contexts.erase(context);
          note_locked(*live);
          return live->view_locked();
        }());
      },
      [answer](const Error& error) { answer(std::unexpected(error)); });
}

// ---- Looking after them ----------------------------------------------------------------------

void LocalSessionHost::watch(const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kLookEvery{500};
  do {
    const Nanoseconds now = sys::now();
    std::vector<std::pair<Shared, LiveSession::End>> due;
    std::vector<Shared> forgotten;  // let go of after every lock
    {
      const std::lock_guard lock(mutex_);
      std::size_t ended = 0;
      // The youngest first: ids sort by time.
      for (auto at = sessions_.end(); at != sessions_.begin();) {
        --at;
        const Shared live = at->second;
        const std::lock_guard inner(live->mutex);
        if (live->ended && (++ended > kMostEnded || now - live->used > kShownAfterEnd)) {
          forgotten.push_back(live);
          at = sessions_.erase(at);
          continue;
        }
        // An interrupt may come too early, or be caught: as long as it is executed there is
        // another.
        if (live->current != nullptr && live->current->cancelled) live->session->interrupt();
        if (live->ended) continue;
        if (now >= live->deadline) {
          const std::string ttl = format_duration(live->base.ttl);
          due.emplace_back(
              live,
              LiveSession::End{.by = "ttl", .reason = "its time to live of " + ttl + " is over"});
        } else if (live->busy || live->session == nullptr) {
          continue;
        } else if (!live->paused && now - live->used >= live->base.idle) {
          const std::string idle = format_duration(live->base.idle);
          due.emplace_back(
              live, LiveSession::End{.by = "idle", .reason = "nothing was executed for " + idle});
        } else if (const auto heard = live->session->heard_end()) {
          // Said at once: what is asked of it meanwhile has no better reason.
          live->why = {.by = heard->with_warden ? "lost" : "died", .reason = heard->reason};
          due.emplace_back(live, live->why);
        }
      }
    }
    spares_.forget_old(now);
    for (auto& [live, why] : due) end(*live, std::move(why), {});
  } while (pause_unless_stopped(stop, kLookEvery));
}

}  // namespace belljar::engine
