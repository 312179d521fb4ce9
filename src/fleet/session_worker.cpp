#include "fleet/session_worker.h"

#include <algorithm>
#include <utility>

#include "base/pause.h"
#include "base/sys.h"
#include "base/text.h"
#include "fleet/messages.h"
#include "fleet/session_subjects.h"
#include "model/builtin_policies.h"

namespace belljar::fleet {
namespace {

using Kind = SessionQuestion::Kind;

constexpr Milliseconds kPatience{5000};
constexpr Milliseconds kLookEvery{100};
constexpr std::size_t kThreads = 4;
constexpr std::size_t kMostAnswers = 2000;
constexpr std::size_t kMostExecutions = 20'000;
constexpr std::chrono::seconds kLastWords{10};  // for what has ended to be told

// Into what is remembered of late, where the oldest goes.
template <typename Value>
void remember(std::map<std::string, Value>& all,
              std::deque<std::string>& order,
              std::size_t most,
              const std::string& name,
              Value value) {
  all.emplace(name, std::move(value));
  order.push_back(name);
  if (order.size() <= most) return;
  all.erase(order.front());
  order.pop_front();
}

SessionReply reply_of(engine::SessionView view) {
  SessionReply reply;
  reply.sessions.push_back(std::move(view));
  return reply;
}

}  // namespace

// One execution, from its order to its end.
class SessionWorker::Assignment : public engine::ExecutionListener {
 public:
  Assignment(SessionWorker& worker, std::string id, bool streamed)
      : worker_(worker), id_(std::move(id)), streamed_(streamed) {}

  void on_start() override { say({.kind = SessionHappening::Kind::kBegun, .bytes = {}}); }
  void on_output(engine::OutputStream stream, std::string_view bytes) override {
    using Happening = SessionHappening::Kind;
    if (!streamed_) return;
    say({.kind = stream == engine::OutputStream::kOut ? Happening::kOut : Happening::kErr,
         .bytes = std::string(bytes)});
  }
  void on_result(const std::string& text) override {
    if (streamed_) say({.kind = SessionHappening::Kind::kResult, .bytes = text});
  }
  void on_end(engine::ExecutionEnd end) override { worker_.over(id_, end); }

 private:
  // What is lost on the way the end makes good, streams of a moment without NATS excepted. A result
  // that is too large for a message comes with the end only.
  void say(const SessionHappening& happening) {
    const std::string text = to_json(happening);
    if (text.size() > kMostInline) return;
    const char* const kind = streamed_ ? "event" : "told";
    (void)worker_.connection_->publish(told_of_session(kind, worker_.settings_.id, id_), text)
        .has_value();
  }

  SessionWorker& worker_;
  const std::string id_;
  const bool streamed_;
};

SessionWorker::SessionWorker(std::unique_ptr<Connection> connection,
                             engine::LocalSessionHost& host,
                             const runtime::Catalog& catalog,
                             SessionWorkerSettings settings)
    : connection_(std::move(connection)),
      host_(host),
      catalog_(catalog),
      settings_(std::move(settings)),
      stream_(*connection_),
      objects_(stream_, kBucket) {}

SessionWorker::~SessionWorker() {
  questions_.reset();
  calls_.reset();
  threads_.reset();
  for (std::jthread& each : workers_) each.request_stop();
}

Result<std::unique_ptr<SessionWorker>> SessionWorker::open(std::unique_ptr<Connection> connection,
                                                           engine::LocalSessionHost& host,
                                                           const runtime::Catalog& catalog,
                                                           SessionWorkerSettings settings) {
  auto worker = std::unique_ptr<SessionWorker>(
      new SessionWorker(std::move(connection), host, catalog, std::move(settings)));
  TRY(worker->begin());
  return worker;
}

Status SessionWorker::begin() {
  TRY(look_for_streams(stream_));
  host_.serve(*this);
  threads_.emplace(kThreads);
  TRY_ASSIGN(questions_, connection_->subscribe(session_subject(settings_.id),
                                                [this](const Message& message) { take(message); }));
  TRY_ASSIGN(calls_, connection_->subscribe(
                         kRollCall, [this](const Message& message) { heartbeat_.hear(message); }));
  TRY(connection_->flush(kPatience));
  workers_.emplace_back([this](const std::stop_token& stop) { tell_ends(stop); });
  workers_.emplace_back([this](const std::stop_token& stop) {
    do {
      if (heartbeat_.is_due(sys::now())) say_state();
    } while (pause_unless_stopped(stop, kLookEvery));
  });
  return {};
}

// ---- Questions -------------------------------------------------------------------------------

// Questions about one session are taken in the order in which they came.
void SessionWorker::take(const Message& message) {
  const auto object = referred_object(message.data);
  if (!object) {
    auto question = read_session_question(message.data);
    if (!question) return;
    const std::string session = question->session;
    threads_->post(session, [this, question = *std::move(question)]() mutable {
      handle(std::move(question));
    });
    return;
  }
  threads_->post(*object, [this, object = *object] {
    const auto text = objects_.get(object);
    if (!text) return;  // it is asked again
    auto question = read_session_question(*text);
    if (question) handle(*std::move(question));
  });
}

void SessionWorker::handle(SessionQuestion question) {
  {
    const std::lock_guard lock(mutex_);
    const auto earlier = answered_.find(question.name);
    if (earlier != answered_.end()) {
      if (!earlier->second.empty()) send_answer(question.gateway, question.name, earlier->second);
      return;
    }
    remember(answered_, answered_order_, kMostAnswers, question.name, std::string());
  }
  const auto with_session = [this, question](Result<engine::SessionView> view) {
    if (!view) return answer(question, std::unexpected(view.error()));
    answer(question, reply_of(*std::move(view)));
  };
  engine::SessionAddress address{.id = question.session, .place = settings_.id};
  switch (question.kind) {
    case Kind::kCreate:
      return create(question, with_session);
    case Kind::kContext:
      return host_.change_context(address, question.change, question.context, question.cwd,
                                  with_session);
    case Kind::kQuit:
      return host_.quit(address, with_session);
    case Kind::kFiles:
      return host_.use_files(address, std::move(question.files),
                             [this, question](Result<engine::FilesAnswer> files) {
                               if (!files) return answer(question, std::unexpected(files.error()));
                               SessionReply reply;
                               reply.files = *std::move(files);
                               answer(question, reply);
                             });
    default:
      answer(question, answer_now(question));
  }
}

Result<SessionReply> SessionWorker::answer_now(const SessionQuestion& question) {
  const engine::SessionAddress address{.id = question.session, .place = settings_.id};
  SessionReply reply;
  switch (question.kind) {
    case Kind::kList: {
      TRY_ASSIGN(reply.sessions, host_.list(question.caller));
      return reply;
    }
    case Kind::kExecute:
      TRY(execute(question));
      return reply;
    case Kind::kInterrupt:
      TRY(host_.interrupt(address, question.execution));
      return reply;
    case Kind::kCancel:
      host_.cancel(address, question.execution);
      return reply;
    case Kind::kPause:
    case Kind::kResume: {
      TRY_ASSIGN(engine::SessionView view,
                 host_.set_paused(address, question.kind == Kind::kPause));
      return reply_of(std::move(view));
    }
    case Kind::kIsUnderWay: {
      const std::lock_guard lock(mutex_);
      const auto found = executions_.find(question.execution);
      reply.is_under_way = found != executions_.end() && found->second;
      return reply;
    }
    default: {
      TRY_ASSIGN(engine::SessionView view, host_.find(address));
      return reply_of(std::move(view));
    }
  }
}

void SessionWorker::create(const SessionQuestion& question,
                           const engine::SessionHost::Answer& answer) {
  engine::SessionOrder order = question.order;
  order.address.place = settings_.id;
  // Asked for long ago, and again.
  if (auto earlier = host_.find(order.address)) return answer(std::move(earlier));
  const auto prepared = [&]() -> Status {
    const auto policy = builtin_policies().find(question.policy);
    if (policy == builtin_policies().end()) {
      return fail(Code::kInvalid, "policy: this worker has no " + quote(question.policy));
    }
    order.policy = &policy->second;
    TRY_ASSIGN(engine::PlannedSession planned,
               engine::plan_session(catalog_, *order.policy, order.submission));
    order.planned = std::make_shared<const engine::PlannedSession>(std::move(planned));
    const std::lock_guard lock(mutex_);
    if (draining_) return fail(Code::kUnavailable, "the worker is being stopped");
    ++held_;
    return {};
  }();
  if (!prepared) return answer(std::unexpected(prepared.error()));
  host_.create(std::move(order), [this, answer](Result<engine::SessionView> made) {
    if (!made) {
      const std::lock_guard lock(mutex_);
      --held_;
      changed_.notify_all();
    }
    answer(std::move(made));
    say_state();
  });
}

// One that came already is not begun again.
Status SessionWorker::execute(const SessionQuestion& question) {
  const std::string& id = question.execution;
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return fail(Code::kUnavailable, "the worker is being stopped");
    if (executions_.contains(id)) return {};
    remember(executions_, executions_order_, kMostExecutions, id, true);
    ++under_way_;
  }
  engine::ExecutionOrder order = question.asked;
  order.session.place = settings_.id;
  const bool refused = order.refused;
  const Status taken =
      host_.execute(std::move(order), std::make_shared<Assignment>(*this, id, order.streamed),
                    [] { return Status(); });
  if (taken && !refused) return {};
  const std::lock_guard lock(mutex_);
  executions_.erase(id);
  --under_way_;
  changed_.notify_all();
  return taken;
}

void SessionWorker::answer(const SessionQuestion& question, const Result<SessionReply>& reply) {
  std::string text = to_json(reply);
  if (text.size() > kMostInline) {
    const std::string object = answer_object(question.name);
    // Where NATS does not take it now it is asked again, and is then not known any more.
    const Status stored = objects_.put(object, text);
    text = stored ? reference_to(object)
                  : to_json(Result<SessionReply>(std::unexpected(stored.error())));
  }
  {
    const std::lock_guard lock(mutex_);
    const auto found = answered_.find(question.name);
    if (found != answered_.end()) found->second = text;
  }
  send_answer(question.gateway, question.name, text);
}

void SessionWorker::send_answer(const std::string& gateway,
                                const std::string& name,
                                const std::string& text) {
  (void)connection_->publish(answer_subject(gateway, settings_.id, name), text).has_value();
}

// ---- Ends ------------------------------------------------------------------------------------

void SessionWorker::over(const std::string& execution, const engine::ExecutionEnd& end) {
  tell(execution, to_json(end));
  const std::lock_guard lock(mutex_);
  const auto found = executions_.find(execution);
  if (found != executions_.end()) found->second = false;
  --under_way_;
  changed_.notify_all();
}

bool SessionWorker::on_session_end(const engine::SessionView& session) {
  tell(session.address.id, to_json(session));
  {
    const std::lock_guard lock(mutex_);
    --held_;
    changed_.notify_all();
  }
  say_state();
  return true;
}

void SessionWorker::tell(std::string id, std::string text) {
  const std::lock_guard lock(mutex_);
  ends_.push_back({.id = std::move(id), .text = std::move(text)});
  changed_.notify_all();
}

// An end is stored until a gateway has recorded it; gateways hear it at once, too.
void SessionWorker::tell_ends(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Told told;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return !ends_.empty(); });
      if (stop.stop_requested()) return;
      told = std::move(ends_.front());
      ends_.pop_front();
      ++telling_;
    }
    const auto store = [&]() -> Status {
      if (told.text.size() > kMostInline && !told.in_bucket) {
        const std::string object = end_object(told.id, settings_.id);
        TRY(objects_.put(object, told.text));
        told.text = reference_to(object);
        told.in_bucket = true;
      }
      TRY(stream_.publish(told_of_session("end", settings_.id, told.id), told.text, "", kPatience));
      return {};
    };
    const bool stored = store().has_value();
    std::unique_lock lock(mutex_);
    --telling_;
    if (!stored) ends_.push_front(std::move(told));
    changed_.notify_all();
    constexpr Milliseconds kPause{200};
    if (!stored) changed_.wait_for(lock, stop, kPause, [] { return false; });
  }
}

// ---- Being there -----------------------------------------------------------------------------

void SessionWorker::say_state() {
  SessionsState state{.worker = settings_.id,
                      .languages = settings_.languages,
                      .most = settings_.most,
                      .callers = {}};
  for (const auto& [caller, sessions] : host_.by_caller()) {
    state.callers.push_back({.id = caller, .sessions = sessions});
  }
  {
    const std::lock_guard lock(mutex_);
    state.draining = draining_;
  }
  (void)connection_->publish(told_of_session("told", settings_.id, kItsSessions), to_json(state))
      .has_value();
}

void SessionWorker::begin_drain() {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  say_state();
}

bool SessionWorker::drain(Nanoseconds patience) {
  begin_drain();
  bool finished = false;
  {
    std::unique_lock lock(mutex_);
    finished = changed_.wait_for(lock, patience, [this] { return under_way_ == 0; });
  }
  host_.close("its worker was stopped");
  {
    std::unique_lock lock(mutex_);
    finished = changed_.wait_for(lock, kLastWords, [this] {
      return under_way_ == 0 && held_ == 0 && ends_.empty() && telling_ == 0;
    }) && finished;
  }
  (void)connection_->flush(kPatience).has_value();
  return finished;
}

}  // namespace belljar::fleet
