#include "engine/session_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::engine {
namespace {

using testing::HasSubstr;

TEST(SessionProtocol, RequestsAreFramesOfJson) {
  const std::string bytes = execute_frame(7, "default", "print(\"\xc3\xa9\")\n");
  EXPECT_EQ(bytes.substr(0, 4), std::string({static_cast<char>(bytes.size() - 4), 0, 0, 0}));
  EXPECT_THAT(bytes, HasSubstr("\"op\":\"execute\",\"id\":7,\"context\":\"default\""));
  EXPECT_THAT(context_frame(8, "restart_context", "c"), HasSubstr("\"op\":\"restart_context\""));
  EXPECT_THAT(context_frame(8, "restart_context", "c"), Not(HasSubstr("cwd")));
  EXPECT_THAT(context_frame(9, "create_context", "c", "/tmp"), HasSubstr("\"cwd\":\"/tmp\""));
  const std::vector<std::string> env{"A=1=2", "B="};
  EXPECT_THAT(execute_frame(10, "default", "", env),
              HasSubstr("\"env\":{\"A\":\"1=2\",\"B\":\"\"}"));
}

TEST(SessionProtocol, FramesComeInPiecesOfAnySize) {
  const std::string bytes("\x02\0\0\0{}\x03\0\0\0[1]\x05\0", 16);
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    FrameReader reader;
    std::vector<std::string> found;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      reader.put(std::string_view(bytes).substr(at, step));
      for (auto frame = reader.next(); *frame; frame = reader.next()) found.push_back(**frame);
    }
    EXPECT_THAT(found, testing::ElementsAre("{}", "[1]")) << step;
  }
}

TEST(SessionProtocol, AFrameThatIsTooLongIsRefusedAtOnce) {
  FrameReader reader;
  reader.put(std::string("\x01\0\x80\0", 4));
  const auto frame = reader.next();
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, Code::kInvalid);
}

TEST(SessionProtocol, WhatADriverSaysIsRead) {
  const auto ready = read_driver_frame(R"({"type":"ready","version":"3.11.2"})");
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->version, "3.11.2");
  const auto result = read_driver_frame(
      R"({"type":"result","id":3,"main":true,"data":{"text/plain":"2"},"more":1})");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->id, 3U);
  EXPECT_EQ(result->json, R"({"main":true,"data":{"text/plain":"2"}})");
  const auto done = read_driver_frame(
      R"({"type":"done","id":4,"status":"exited","exit_code":300,"count":-1,
          "files":[{"path":"a/b","bytes":5,"mime":"text/plain"},7]})");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->status, "exited");
  EXPECT_EQ(done->exit_code, 255);
  EXPECT_EQ(done->count, 0U);
  ASSERT_EQ(done->files.size(), 1U);
  EXPECT_EQ(done->files[0].path, "a/b");
}

TEST(SessionProtocol, WhatIsNoFrameIsRefused) {
  for (const std::string_view text :
       {"", "{", "[]", "1", "{}", R"({"type":1})", R"({"type":"hello"})",
        R"({"type":"result","id":1})", R"({"type":"result","id":1,"data":[],"main":true})",
        R"({"type":"result","id":1,"data":{},"main":1})",
        R"({"type":"error","id":1,"name":"E","value":1,"traceback":""})",
        R"({"type":"result","id":1,"main":true,"data":{"x":[1e999]}})", R"({"type":"done","id":1})",
        R"({"type":"done","id":1,"status":"fine"})", "{\"type\":\"\xff\"}"}) {
    const auto frame = read_driver_frame(text);
    ASSERT_FALSE(frame) << text;
    EXPECT_EQ(frame.error().code, Code::kInvalid);
    EXPECT_FALSE(frame.error().message.empty());
  }
  std::string deep = R"({"type":"result","id":1,"main":true,"data":{"application/json":)";
  for (int i = 0; i < 100; ++i) deep += '[';
  EXPECT_FALSE(read_driver_frame(deep));
}

}  // namespace
}  // namespace belljar::engine
