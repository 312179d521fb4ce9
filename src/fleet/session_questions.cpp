#include "fleet/session_questions.h"

#include <condition_variable>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/sys.h"
#include "fleet/messages.h"
#include "fleet/session_subjects.h"

namespace belljar::fleet {

// What is small is read at once: whoever waits for it may be the one who would read it else.
Status SessionQuestions::begin() {
  TRY_ASSIGN(
      answers_,
      connection_.subscribe(answer_subject(gateway_, kAnyWorker, "*"), [this](Message message) {
        const auto told = read_told_subject(message.subject);
        if (!told) return;
        if (!referred_object(message.data)) return take(*told, message.data);
        threads_.post(told->run,
                      [this, told = *told, text = std::move(message.data)] { take(told, text); });
      }));
  return {};
}

void SessionQuestions::stop() {
  answers_.reset();
  std::vector<std::string> left;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (const auto& [name, each] : asked_) left.push_back(name);
  }
  for (const std::string& each : left) {
    over(each, fail(Code::kUnavailable, "the service is shutting down"));
  }
}

void SessionQuestions::send(const Asked& asked) {
  const std::string subject = session_subject(asked.worker);
  (void)connection_.publish(subject, asked.object.empty() ? asked.text : reference_to(asked.object))
      .has_value();
}

void SessionQuestions::ask(const std::string& worker,
                           SessionQuestion question,
                           Nanoseconds patience,
                           const Answer& answer) {
  question.name = make_id("ask");
  const std::string name = question.name;
  put(worker, std::move(question), patience, [this, name, answer](Result<SessionReply> reply) {
    threads_.post(name, [answer, reply = std::move(reply)] { answer(reply); });
  });
}

void SessionQuestions::put(const std::string& worker,
                           SessionQuestion question,
                           Nanoseconds patience,
                           const Answer& answer) {
  if (!connection_.is_up()) {
    return answer(fail(Code::kUnavailable, "the fleet's NATS does not answer"));
  }
  question.gateway = gateway_;
  const Nanoseconds now = sys::now();
  Asked asked{.worker = worker,
              .text = to_json(question),
              .object = {},
              .since = now,
              .deadline = now + patience,
              .answer = answer};
  if (asked.text.size() > kMostInline) {
    asked.object = question.name;
    const Status stored = objects_.put(asked.object, asked.text);
    if (!stored) return answer(std::unexpected(stored.error()));
    asked.text.clear();
  }
  bool stopped = false;
  {
    const std::lock_guard lock(mutex_);
    stopped = stopped_;
    if (!stopped) asked_.emplace(question.name, asked);
  }
  if (stopped) return answer(fail(Code::kUnavailable, "the service is shutting down"));
  // Its answer may be here before this returns.
  send(asked);
}

Result<SessionReply> SessionQuestions::ask(const std::string& worker,
                                           SessionQuestion question,
                                           Nanoseconds patience) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Result<SessionReply>> reply;
  };
  const auto waiting = std::make_shared<Waiting>();
  question.name = make_id("ask");
  put(worker, std::move(question), patience, [waiting](Result<SessionReply> reply) {
    const std::lock_guard lock(waiting->mutex);
    waiting->reply = std::move(reply);
    waiting->changed.notify_all();
  });
  std::unique_lock lock(waiting->mutex);
  // look_after() gives it up in time.
  waiting->changed.wait(lock, [&] { return waiting->reply.has_value(); });
  return *std::move(waiting->reply);
}

// Only the worker that was asked answers.
void SessionQuestions::take(const Told& told, const std::string& text) {
  const std::string& name = told.run;
  {
    const std::lock_guard lock(mutex_);
    const auto asked = asked_.find(name);
    if (asked == asked_.end() || asked->second.worker != told.worker) return;
  }
  const auto object = referred_object(text);
  if (!object) return over(name, read_session_reply(text));
  if (*object != answer_object(name)) return;  // another's
  const auto whole = objects_.get(*object);
  if (!whole && whole.error().code == Code::kUnavailable) return;  // it is asked again
  over(name, whole ? read_session_reply(*whole) : std::unexpected(whole.error()));
  (void)objects_.remove(*object).has_value();
}

void SessionQuestions::over(const std::string& name, Result<SessionReply> reply) {
  Asked asked;
  {
    const std::lock_guard lock(mutex_);
    const auto found = asked_.find(name);
    if (found == asked_.end()) return;
    asked = std::move(found->second);
    asked_.erase(found);
  }
  asked.answer(std::move(reply));
  if (!asked.object.empty()) (void)objects_.remove(asked.object).has_value();
}

void SessionQuestions::look_after(const std::function<bool(const std::string& worker)>& is_gone) {
  const Nanoseconds now = sys::now();
  std::vector<std::string> late;
  std::vector<std::string> gone;
  std::vector<Asked> again;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, each] : asked_) {
      if (is_gone(each.worker)) {
        gone.push_back(name);
      } else if (now > each.deadline) {
        late.push_back(name);
      } else if (now - each.since > kAskAgainAfter) {
        each.since = now;
        again.push_back(each);
      }
    }
  }
  for (const Asked& each : again) send(each);
  for (const std::string& each : gone) {
    over(each, fail(Code::kNotFound, "the worker that held this session is gone"));
  }
  for (const std::string& each : late) {
    over(each, fail(Code::kUnavailable, "the worker that holds this session does not answer"));
  }
}

}  // namespace belljar::fleet
