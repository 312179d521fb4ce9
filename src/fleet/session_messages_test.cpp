#include "fleet/session_messages.h"

#include <gtest/gtest.h>

namespace belljar::fleet {
namespace {

TEST(SessionMessages, AQuestionComesBackAsItWas) {
  SessionQuestion question;
  question.kind = SessionQuestion::Kind::kCreate;
  question.name = "ask_1";
  question.gateway = "gateway";
  question.session = "ses_1";
  question.caller = "key_1";
  question.policy = "default";
  question.order.submission.language = "python";
  question.order.submission.files = {
      {.path = "a", .content = std::string("\0\xff", 2), .executable = true}};
  question.order.submission.env = {"A=\xff"};
  question.order.submission.limits.wall = std::chrono::seconds(2);
  question.order.ttl = std::chrono::minutes(1);
  question.order.note = "strict";
  const auto read = read_session_question(to_json(question));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->kind, question.kind);
  EXPECT_EQ(read->order.address.id, "ses_1");
  EXPECT_EQ(read->order.caller, "key_1");
  EXPECT_EQ(read->order.submission.files, question.order.submission.files);
  EXPECT_EQ(read->order.submission.env, question.order.submission.env);
  EXPECT_EQ(read->order.submission.limits, question.order.submission.limits);
  EXPECT_EQ(read->order.ttl, question.order.ttl);
  EXPECT_EQ(read->order.note, "strict");

  question.kind = SessionQuestion::Kind::kExecute;
  question.execution = "exe_1";
  question.asked.context = "default";
  question.asked.code = "\xff";
  question.asked.limits.cpu = std::chrono::seconds(1);
  question.asked.streamed = true;
  const auto asked = read_session_question(to_json(question));
  ASSERT_TRUE(asked.has_value()) << asked.error().message;
  EXPECT_EQ(asked->asked.id, "exe_1");
  EXPECT_EQ(asked->asked.session.id, "ses_1");
  EXPECT_EQ(asked->asked.code, "\xff");
  EXPECT_EQ(asked->asked.limits, question.asked.limits);
  EXPECT_TRUE(asked->asked.streamed);
}

TEST(SessionMessages, AnEndComesBackAsItWas) {
  engine::ExecutionEnd end;
  end.id = "exe_1";
  end.session = "ses_1";
  end.context = "default";
  end.note = R"({"refused":false})";
  end.started = true;
  end.started_ms = 5;
  end.ended_ms = 7;
  end.took = Nanoseconds(123);
  end.made->status = engine::ExecutionStatus::kTimeout;
  end.made->clock = Clock::kCpu;
  end.made->out = {.data = "\xff", .total_bytes = 9, .truncated = true};
  end.made->results = {R"({"main":true,"data":{},"metadata":{}})"};
  end.made->files = {{.path = "\xff", .bytes = 3, .mime = "text/plain"}};
  end.made->denied = {{.name = "ptrace", .count = 2}};
  end.made->session_end.emplace().status = RunStatus::kMemoryLimit;
  const auto read = read_execution_end(to_json(end));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  ASSERT_TRUE(read->made.has_value());
  EXPECT_EQ(read->note, end.note);
  EXPECT_EQ(read->took, end.took);
  EXPECT_EQ(read->made->status, engine::ExecutionStatus::kTimeout);
  EXPECT_EQ(read->made->clock, Clock::kCpu);
  EXPECT_EQ(read->made->out.data, "\xff");
  EXPECT_EQ(read->made->out.total_bytes, 9U);
  EXPECT_EQ(read->made->results, end.made->results);
  EXPECT_EQ(read->made->files.at(0).path, "\xff");
  EXPECT_EQ(read->made->denied, end.made->denied);
  ASSERT_TRUE(read->made->session_end.has_value());
  EXPECT_EQ(read->made->session_end->status, RunStatus::kMemoryLimit);
}

TEST(SessionMessages, WhatFailedComesBackAsItWas) {
  engine::ExecutionEnd end;
  end.id = "exe_1";
  end.made = fail(Code::kExhausted, "waited too long");
  const auto read = read_execution_end(to_json(end));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  ASSERT_FALSE(read->made.has_value());
  EXPECT_EQ(read->made.error().code, Code::kExhausted);
  EXPECT_FALSE(read->started);
  const auto reply = read_session_reply(to_json(Result<SessionReply>(fail(Code::kConflict, "no"))));
  EXPECT_EQ(reply.error().code, Code::kConflict);
}

// It becomes part of the ledger's JSON as it is.
TEST(SessionMessages, AResultThatIsNoJsonIsRefused) {
  engine::ExecutionEnd end;
  end.started = true;
  end.made->results = {"},{"};
  EXPECT_EQ(read_execution_end(to_json(end)).error().code, Code::kInvalid);
  end.made->results = {"{}"};
  EXPECT_TRUE(read_execution_end(to_json(end)).has_value());
  EXPECT_FALSE(
      read_session_happening(to_json({.kind = SessionHappening::Kind::kResult, .bytes = "\"}"}))
          .has_value());
}

TEST(SessionMessages, AViewComesBackAsItWas) {
  engine::SessionView view;
  view.address = {.id = "ses_1", .place = "worker_1"};
  view.limits.memory = 1234567;
  view.limits.wall = Nanoseconds(1);
  view.state = engine::SessionState::kPaused;
  view.contexts = {"a", "default"};
  view.is_up = true;
  view.start = Start::kInterpreter;
  view.walls.add(Wall::kSeccomp);
  const auto read = read_session(to_json(view));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->address.place, "worker_1");
  EXPECT_EQ(read->limits.memory, 1234567U);
  EXPECT_EQ(read->limits.wall, Nanoseconds(1));
  EXPECT_EQ(read->state, engine::SessionState::kPaused);
  EXPECT_EQ(read->contexts, view.contexts);
  EXPECT_EQ(read->start, Start::kInterpreter);
  EXPECT_EQ(read->walls, view.walls);
}

TEST(SessionMessages, WhatIsNoMessageIsRefused) {
  for (const char* text : {"", "[]", "{}", R"({"kind":"create"})", R"({"sessions":1})"}) {
    EXPECT_FALSE(read_session_question(text).has_value()) << text;
    EXPECT_FALSE(read_session_reply(text).has_value()) << text;
    EXPECT_FALSE(read_execution_end(text).has_value()) << text;
    EXPECT_FALSE(read_session(text).has_value()) << text;
    EXPECT_FALSE(read_sessions_state(text).has_value()) << text;
    EXPECT_FALSE(read_session_happening(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace belljar::fleet
