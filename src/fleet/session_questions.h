// SessionQuestions: what a gateway asks workers about sessions. A question is asked again until it
// is answered, and done once: what is lost on the way costs a second and nothing else.
//
// Every member may be called from any thread. An answer comes from a thread of this class's, which
// may ask something else and wait for that.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "fleet/connection.h"
#include "fleet/keyed_threads.h"
#include "fleet/object_bucket.h"
#include "fleet/session_messages.h"
#include "fleet/subjects.h"

namespace belljar::fleet {

class SessionQuestions {
 public:
  // The last two are borrowed; they outlive it. `gateway`: its name.
  SessionQuestions(std::string gateway, Connection& connection, ObjectBucket& objects)
      : gateway_(std::move(gateway)), connection_(connection), objects_(objects) {}
  // Once, before the first question.
  Status begin();
  // What is not answered yet is given up, and nothing more can be asked.
  void stop();

  // kUnavailable where it was not answered in time, or its worker is gone.
  using Answer = std::function<void(Result<SessionReply>)>;
  void ask(const std::string& worker,
           SessionQuestion question,
           Nanoseconds patience,
           const Answer& answer);
  // The same for who waits.
  Result<SessionReply> ask(const std::string& worker,
                           SessionQuestion question,
                           Nanoseconds patience);
  // Now and then: asks again, and gives up. `is_gone` tells of a worker.
  void look_after(const std::function<bool(const std::string& worker)>& is_gone);

 private:
  static constexpr std::size_t kThreads = 4;
  struct Asked {
    std::string worker;
    std::string text;    // empty where it is in the bucket
    std::string object;  // its name there
    Nanoseconds since{}, deadline{};
    Answer answer;
  };
  void take(const Told& told, const std::string& text);
  void send(const Asked& asked);
  // As ask(), answered by whatever thread has the answer.
  void put(const std::string& worker,
           SessionQuestion question,
           Nanoseconds patience,
           const Answer& answer);
  void over(const std::string& name, Result<SessionReply> reply);

  const std::string gateway_;
  Connection& connection_;
  ObjectBucket& objects_;
  std::mutex mutex_;
  std::map<std::string, Asked> asked_;
  bool stopped_ = false;
  // Last: they use what stands above.
  KeyedThreads threads_{kThreads};
  std::unique_ptr<Subscription> answers_;
};

}  // namespace belljar::fleet
