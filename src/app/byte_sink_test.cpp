#include "app/byte_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>

#include "base/sys.h"

namespace belljar::app {
namespace {

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  return text;
}

class ByteSinkTest : public testing::Test {
 protected:
  ByteSinkTest() {
    std::signal(SIGPIPE, SIG_IGN);
    pipe_ = sys::make_pipe().value();
    stop_ = sys::make_pipe().value();
  }
  std::string shown() {
    pipe_.write.reset();
    return read_all(pipe_.read.get());
  }

  sys::Pipe pipe_;
  sys::Pipe stop_;
};

TEST_F(ByteSinkTest, RawIsByteForByte) {
  ByteSink sink(pipe_.write.get(), Show::kRaw, -1);
  ASSERT_TRUE(sink.write("a\x1b[2J\xff"));
  ASSERT_TRUE(sink.finish());
  EXPECT_EQ(shown(), "a\x1b[2J\xff");
}

TEST_F(ByteSinkTest, EscapedIsTheSameInAnyPieces) {
  ByteSink sink(pipe_.write.get(), Show::kEscaped, -1);
  for (const char c : std::string("a\x1b[2J\xe2\x80\xae\r\nb")) ASSERT_TRUE(sink.write({&c, 1}));
  ASSERT_TRUE(sink.finish());
  EXPECT_EQ(shown(), "a\\x1b[2J\\u202e\r\nb");
}

TEST_F(ByteSinkTest, KnowsWhereALineBegins) {
  ByteSink sink(pipe_.write.get(), Show::kRaw, -1);
  EXPECT_TRUE(sink.at_line_start());
  ASSERT_TRUE(sink.write("a"));
  EXPECT_FALSE(sink.at_line_start());
  ASSERT_TRUE(sink.write("\n"));
  EXPECT_TRUE(sink.at_line_start());
}

TEST_F(ByteSinkTest, WaitsForASlowReaderOfANonBlockingPipe) {
  ASSERT_TRUE(sys::set_nonblocking(pipe_.write.get()));
  const std::string much(1 << 20, 'x');
  std::string got;
  std::jthread reader([&] { got = read_all(pipe_.read.get()); });
  ByteSink sink(pipe_.write.get(), Show::kRaw, -1);
  EXPECT_TRUE(sink.write(much));
  pipe_.write.reset();
  reader.join();
  EXPECT_EQ(got, much);
}

TEST_F(ByteSinkTest, AReadableStopEndsTheWaiting) {
  ByteSink sink(pipe_.write.get(), Show::kRaw, stop_.read.get());
  ASSERT_EQ(::write(stop_.write.get(), "x", 1), 1);
  const Status status = sink.write(std::string(1 << 20, 'x'));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().sys, EINTR);
  EXPECT_FALSE(sink.write("more"));
}

TEST_F(ByteSinkTest, InAHurryItWritesWhatGoesAtOnce) {
  ByteSink sink(pipe_.write.get(), Show::kRaw, -1);
  sink.hurry();
  EXPECT_TRUE(sink.write("last words"));
  const Status status = sink.write(std::string(1 << 20, 'x'));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().sys, EINTR);
  EXPECT_TRUE(shown().starts_with("last words"));
}

TEST_F(ByteSinkTest, NobodyReadingIsAnErrorAndNoSignal) {
  pipe_.read.reset();
  ByteSink sink(pipe_.write.get(), Show::kRaw, -1);
  const Status status = sink.write("x");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().sys, EPIPE);
}

}  // namespace
}  // namespace belljar::app
