// What every SessionHost does. There is no warden here: no session comes up, at whichever end of
// NATS.
#include "engine/session_host.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "base/sys.h"
#include "engine/local_session_host.h"
#include "fleet/fleet_session_host.h"
#include "fleet/nats_server.h"
#include "fleet/session_worker.h"
#include "model/builtin_policies.h"

namespace belljar::fleet {
namespace {

constexpr std::chrono::seconds kLong{60};

const runtime::Catalog& catalog() {
  static const auto opened = runtime::Catalog::open("");
  return *opened;
}

// Keeps what it is told.
class Owner : public engine::SessionOwner {
 public:
  bool on_session_end(const engine::SessionView& session) override {
    return take("session " + session.address.id);
  }
  bool on_execution_end(engine::ExecutionEnd end) override { return take("execution " + end.id); }
  bool on_lost(const engine::SessionAddress& session,
               const std::string& execution,
               const std::string& /*reason*/) override {
    return take("lost " + session.id + " " + execution);
  }
  bool wait(const std::string& wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kLong,
                             [&] { return std::ranges::find(told_, wanted) != told_.end(); });
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return told_.size();
  }

 private:
  bool take(std::string what) {
    const std::lock_guard lock(mutex_);
    told_.push_back(std::move(what));
    changed_.notify_all();
    return true;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> told_;
};

// What comes once, from another thread.
template <typename Value>
class Waiting {
 public:
  void set(Value value) {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(value_.has_value()) << "answered twice";
    value_ = std::move(value);
    changed_.notify_all();
  }
  Value get() {
    std::unique_lock lock(mutex_);
    const bool come = changed_.wait_for(lock, kLong, [this] { return value_.has_value(); });
    EXPECT_TRUE(come);
    return come ? *value_ : Value(fail(Code::kInternal, "not answered"));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Value> value_;
};
using Answer = Waiting<Result<engine::SessionView>>;

class Local {
 public:
  engine::SessionHost& host() { return host_; }
  engine::LocalSessionHost& local() { return host_; }

 private:
  engine::Dispatcher dispatcher_{{.threads = 2}, []() -> Result<warden::Client> {
                                   return fail(Code::kUnavailable, "no warden here");
                                 }};
  engine::LocalSessionHost host_{
      dispatcher_, {.most_per_caller = 2, .memory = kGiB, .queue_wait = kLong, .keeps = false}};
};

class Fleet {
 public:
  Fleet() {
    server_.make_streams();
    auto host = FleetSessionHost::open(
        server_.connect(), {.id = "gateway_1", .most_per_caller = 2, .queue_wait = kLong});
    EXPECT_TRUE(host.has_value()) << (host ? "" : host.error().message);
    host_ = *std::move(host);
    auto worker = SessionWorker::open(server_.connect(), local_.local(), catalog(),
                                      {.id = "name.worker_1", .languages = {"python"}, .most = 2});
    EXPECT_TRUE(worker.has_value()) << (worker ? "" : worker.error().message);
    worker_ = *std::move(worker);
  }
  ~Fleet() { EXPECT_TRUE(worker_->drain(kLong)); }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;
  engine::SessionHost& host() { return *host_; }
  const NatsServer& server() { return server_; }

 private:
  NatsServer server_;
  Local local_;
  std::unique_ptr<SessionWorker> worker_;
  std::unique_ptr<FleetSessionHost> host_;
};

template <typename Maker>
class SessionHosts : public testing::Test {
 protected:
  SessionHosts() { host().serve(owner_); }
  ~SessionHosts() override { host().close(); }

  engine::SessionOrder order(const std::string& id) {
    engine::SessionOrder made;
    const auto place = host().place_for("python", "ada");
    EXPECT_TRUE(place.has_value()) << (place ? "" : place.error().message);
    made.address = {.id = id, .place = place.value_or("")};
    made.caller = "ada";
    made.policy = &builtin_policies().at("default");
    made.submission.language = "python";
    auto planned = engine::plan_session(catalog(), *made.policy, made.submission);
    EXPECT_TRUE(planned.has_value()) << (planned ? "" : planned.error().message);
    made.planned = std::make_shared<const engine::PlannedSession>(*std::move(planned));
    made.ttl = made.idle = kLong;
    return made;
  }
  engine::SessionHost& host() { return maker_.host(); }

  Owner owner_;
  Maker maker_;
};

using Kinds = testing::Types<Local, Fleet>;
TYPED_TEST_SUITE(SessionHosts, Kinds);

TYPED_TEST(SessionHosts, ASessionThatCannotBeginIsToldOfOnceAndIsNone) {
  Answer answer;
  engine::SessionOrder order = this->order("ses_1");
  const engine::SessionAddress address = order.address;
  this->host().create(std::move(order), [&](auto view) { answer.set(std::move(view)); });
  const auto view = answer.get();
  ASSERT_FALSE(view.has_value());
  EXPECT_EQ(view.error().code, Code::kUnavailable);
  EXPECT_NE(view.error().message.find("no warden here"), std::string::npos) << view.error().message;
  EXPECT_EQ(this->host().count(), 0U);
  const auto left = this->host().find(address);
  if (left) EXPECT_EQ(left->state, engine::SessionState::kEnded);
  EXPECT_EQ(this->owner_.count(), 0U);
}

TYPED_TEST(SessionHosts, WhatIsAskedOfNoSessionIsNotFound) {
  const auto place = this->host().place_for("python", "ada");
  ASSERT_TRUE(place.has_value());
  const engine::SessionAddress none{.id = "ses_none", .place = *place};
  EXPECT_EQ(this->host().find(none).error().code, Code::kNotFound);
  EXPECT_EQ(this->host().interrupt(none, "").error().code, Code::kNotFound);
  EXPECT_EQ(this->host().set_paused(none, true).error().code, Code::kNotFound);
  Answer quit;
  this->host().quit(none, [&](auto view) { quit.set(std::move(view)); });
  EXPECT_EQ(quit.get().error().code, Code::kNotFound);
  Answer context;
  this->host().change_context(none, engine::ContextChange::kCreate, "c", "",
                              [&](auto view) { context.set(std::move(view)); });
  EXPECT_EQ(context.get().error().code, Code::kNotFound);
  Waiting<Result<engine::FilesAnswer>> files;
  this->host().use_files(none, {.action = engine::FileAction::kList, .path = {}, .content = {}},
                         [&](auto answer) { files.set(std::move(answer)); });
  EXPECT_EQ(files.get().error().code, Code::kNotFound);
  engine::ExecutionOrder order;
  order.session = none;
  order.id = "exe_1";
  order.context = "default";
  const auto taken = this->host().execute(order, nullptr, [] { return Status(); });
  EXPECT_EQ(taken.error().code, Code::kNotFound);
  const auto list = this->host().list("ada");
  ASSERT_TRUE(list.has_value());
  EXPECT_TRUE(list->empty());
}

TYPED_TEST(SessionHosts, WhatAnEarlierProcessLeftAndNobodyHasIsLost) {
  this->host().look_after({.id = "ses_1", .place = "worker_gone"}, "");
  this->host().look_after({.id = "ses_1", .place = "worker_gone"}, "exe_1");
  EXPECT_TRUE(this->owner_.wait("lost ses_1 "));
  EXPECT_TRUE(this->owner_.wait("lost ses_1 exe_1"));
}

// What no local host has a use for.
TEST(FleetSessionHost, ALanguageThatNoWorkerHasIsRefused) {
  Fleet fleet;
  Owner owner;
  fleet.host().serve(owner);
  EXPECT_TRUE(fleet.host().place_for("python", "ada").has_value());
  EXPECT_EQ(fleet.host().place_for("cobol", "ada").error().code, Code::kUnavailable);
  fleet.host().close();
}

TEST(FleetSessionHost, AnEndIsOfTheSessionAndTheWorkerThatTellsIt) {
  Fleet fleet;
  Owner owner;
  fleet.host().serve(owner);
  const std::string mine = worker_id("mine", "1");
  const std::string others = worker_id("others", "1");
  fleet.host().look_after({.id = "ses_1", .place = mine}, "");
  const auto connection = fleet.server().connect();
  const auto tell = [&](const std::string& worker, const engine::SessionAddress& of) {
    engine::SessionView view;
    view.address = of;
    view.state = engine::SessionState::kEnded;
    ASSERT_TRUE(
        connection->publish(told_of_session("end", worker, "ses_1"), to_json(view)).has_value());
  };
  tell(mine, {.id = "ses_2", .place = mine});
  tell(mine, {.id = "ses_1", .place = others});
  tell(others, {.id = "ses_1", .place = others});
  tell(mine, {.id = "ses_1", .place = mine});
  EXPECT_TRUE(owner.wait("session ses_1"));
  EXPECT_EQ(owner.count(), 1U);
  fleet.host().close();
}

TEST(FleetSessionHost, ACallerHasNoMoreSessionsThanHeMay) {
  Fleet fleet;
  Owner owner;
  fleet.host().serve(owner);
  // Between what a worker says of itself what was given to it since is counted.
  Result<std::string> place = std::string();
  for (int i = 0; i < 100 && place; ++i) place = fleet.host().place_for("python", "ada");
  ASSERT_FALSE(place.has_value());
  EXPECT_EQ(place.error().code, Code::kExhausted);
  fleet.host().close();
}

}  // namespace
}  // namespace belljar::fleet
