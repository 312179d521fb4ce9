// InputSender and InputReceiver, with a way between them that loses what it likes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <random>

#include "base/sys.h"
#include "fleet/input_receiver.h"
#include "fleet/input_sender.h"

namespace belljar::fleet {
namespace {

using engine::InputControl;

class Way {
 public:
  explicit Way(double loss) : loss_(loss) {
    client_ = *sys::make_pipe();
    ::fcntl(client_.write.get(), F_SETPIPE_SZ, 1 << 20);
    EXPECT_TRUE(sys::set_nonblocking(client_.write.get()).has_value());
    receiver_ = *InputReceiver::make(
        [this](std::uint64_t frames, std::uint64_t written) {
          const std::lock_guard lock(sender_mutex_);
          if (!is_lost() && sender_there_) sender_->taken(frames, written);
        },
        [this](const InputControl& control) {
          const std::lock_guard lock(mutex_);
          controls_.push_back(control);
          changed_.notify_all();
        });
    sender_ = *InputSender::make(client_.read.get(), [this](const InputFrame& frame) {
      sent_ += frame.bytes.size();
      if (is_lost()) return;
      const auto read = read_input_frame(to_json(frame));
      ASSERT_TRUE(read.has_value());
      receiver_->take(*read);
      if (is_lost()) receiver_->take(*read);  // and now and then one comes twice
    });
    const std::lock_guard lock(sender_mutex_);
    sender_there_ = true;
  }
  ~Way() {
    {
      const std::lock_guard lock(sender_mutex_);
      sender_there_ = false;
    }
    sender_.reset();
  }
  Way(const Way&) = delete;
  Way& operator=(const Way&) = delete;

  InputSender& sender() { return *sender_; }
  [[nodiscard]] int stdin_fd() const { return receiver_->input(); }
  std::size_t type(std::string_view bytes) {
    const ssize_t done = ::write(client_.write.get(), bytes.data(), bytes.size());
    return done < 0 ? 0 : static_cast<std::size_t>(done);
  }
  void end() { client_.write.reset(); }
  std::vector<InputControl> controls(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(60),
                      [this, count] { return controls_.size() >= count; });
    return controls_;
  }
  [[nodiscard]] std::size_t sent() const { return sent_; }

 private:
  bool is_lost() {
    const std::lock_guard lock(random_mutex_);
    return std::bernoulli_distribution(loss_)(random_);
  }

  const double loss_;
  std::mutex random_mutex_;
  std::mt19937 random_{7};
  sys::Pipe client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<InputControl> controls_;
  std::atomic<std::size_t> sent_ = 0;
  std::mutex sender_mutex_;
  bool sender_there_ = false;
  std::unique_ptr<InputReceiver> receiver_;
  std::unique_ptr<InputSender> sender_;
};

std::string read_all(int fd) {
  std::string all;
  std::array<char, 4096> piece{};
  while (true) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got <= 0) return all;
    all.append(piece.data(), static_cast<std::size_t>(got));
  }
}

TEST(InputFrames, NoneIsLostOrComesTwiceOrInAnotherOrder) {
  for (const double loss : {0.0, 0.3}) {
    Way way(loss);
    way.sender().begin();
    std::string typed;
    for (int i = 0; typed.size() < (loss > 0 ? 100'000U : 500'000U); ++i)
      typed += std::to_string(i) + ' ';
    std::thread client([&way, &typed] {
      for (std::string_view rest = typed; !rest.empty();) {
        rest.remove_prefix(way.type(rest.substr(0, 7001)));
      }
      way.end();
    });
    for (std::uint16_t i = 1; i <= 20; ++i) {
      way.sender().control({.kind = InputControl::Kind::kResize, .rows = i, .columns = 1});
    }
    EXPECT_EQ(read_all(way.stdin_fd()), typed) << loss;
    client.join();
    const auto controls = way.controls(20);
    ASSERT_EQ(controls.size(), 20U) << loss;
    for (std::uint16_t i = 1; i <= 20; ++i) EXPECT_EQ(controls[i - 1U].rows, i);
  }
}

TEST(InputFrames, NothingIsSentBeforeItIsBegun) {
  Way way(0);
  ASSERT_EQ(way.type("early\n"), 6U);
  way.sender().control({.kind = InputControl::Kind::kSignal, .signal = 2});
  EXPECT_EQ(way.sent(), 0U);
  way.sender().begin();
  way.end();
  EXPECT_EQ(read_all(way.stdin_fd()), "early\n");
  EXPECT_EQ(way.controls(1).size(), 1U);
}

// A program that reads nothing: what its client types stays with the client, and keys that are
// signals come through all the same.
TEST(InputFrames, WhoFloodsIsHeldUpAndNotHisKeys) {
  Way way(0);
  way.sender().begin();
  const std::string flood(100'000, 'x');
  std::size_t typed = 0;
  std::size_t refused = 0;
  // The client's pipe and the window are full when nothing goes any more.
  for (int i = 0; i < 200 && refused < 20; ++i) {
    const std::size_t done = way.type(flood);
    typed += done;
    refused = done == 0 ? refused + 1 : 0;
    if (done == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_GE(refused, 20U);
  // What fits into the pipe of the program was written, the window lies beside it.
  EXPECT_LE(way.sent(), kInputWindow + (1U << 16U));
  EXPECT_LE(typed, (1U << 20U) + kInputWindow + (1U << 16U));
  way.sender().control({.kind = InputControl::Kind::kCancel});
  ASSERT_EQ(way.controls(1).size(), 1U);
  EXPECT_EQ(way.controls(1).front().kind, InputControl::Kind::kCancel);
  for (int i = 0; i < 10'000; ++i) {
    way.sender().control({.kind = InputControl::Kind::kResize, .rows = 1, .columns = 1});
  }
  way.end();
  EXPECT_EQ(read_all(way.stdin_fd()).size(), typed);
}

// A worker is believed no more than it can know.
TEST(InputFrames, WhatIsSaidToHaveComeIsNoMoreThanWasSent) {
  const auto pipe = sys::make_pipe();
  std::atomic<int> sent = 0;
  const auto sender = *InputSender::make(pipe->read.get(), [&sent](const InputFrame&) { ++sent; });
  sender->begin();
  sender->taken(1'000'000, 1'000'000);
  sender->control({.kind = InputControl::Kind::kCancel});
  for (int i = 0; i < 500 && sent == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GE(sent, 1);
}

}  // namespace
}  // namespace belljar::fleet
