// LiveRun: one run while it waits, runs and for a while after, as its clients see it: a numbered
// list of events that any number of streams read, each at its own pace and from any place.
//
// Every member may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "engine/engine.h"

namespace belljar::api {

struct RunEvent {
  std::uint64_t number = 0;  // from 1, without gaps
  std::string name;          // "status", "stdout", "stderr", "outcome"
  std::string data;          // one line of JSON
};

class LiveRun {
 public:
  // How output becomes events: joined while nobody has seen it, or each piece as it comes, where
  // others number the same pieces.
  enum class Pieces : std::uint8_t { kJoined, kAsTheyCome };
  LiveRun(std::string id, std::string caller, Pieces pieces = Pieces::kJoined)
      : id_(std::move(id)), caller_(std::move(caller)), pieces_(pieces) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& caller() const { return caller_; }

  // What comes after the end is left out: a run that was cancelled while it began goes on for a
  // moment. `name` is kept as it is: a literal.
  void add(std::string_view name, std::string data);
  // Bytes of the program: text as far as it is valid UTF-8 in whole characters, else base64.
  void add_output(engine::OutputStream stream, std::string_view bytes);
  // The last event; whoever waits is woken. `error` is what Belljar could not do, if that is how it
  // ended. `outcome`: for whoever wants the value and not its JSON.
  void end(std::string run_json,
           std::optional<Error> error,
           std::shared_ptr<const Outcome> outcome = nullptr);

  // Events after number `after`; more come as long as is_over() is false.
  [[nodiscard]] std::vector<RunEvent> events_after(std::uint64_t after);
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] std::string run_json() const;  // when over
  [[nodiscard]] std::optional<Error> error() const;
  // The one that end() was given; gone afterwards, so that it is not kept beside its JSON.
  std::shared_ptr<const Outcome> take_outcome();
  [[nodiscard]] std::size_t bytes() const;
  // Whether somebody waits for more of it.
  [[nodiscard]] bool is_watched() const;
  // Called once: when there is more than the first `after` events, or at once if there is already
  // or the run is over.
  void on_more(std::uint64_t after, std::function<void()> wake);
  // Called once when the run is over.
  void on_end(std::function<void()> wake);

  // Asks the program that runs, or will run, to end.
  void cancel();
  [[nodiscard]] bool is_cancelled() const;
  // What comes before the run is in a cell is kept for it, up to a bound.
  void control(const engine::InputControl& message);
  // The worker's end of the pipe that control() writes to.
  Result<Fd> open_control();
  // Instead of that pipe, where the run is not in this process.
  void forward_control(std::function<void(const engine::InputControl&)> sink);

 private:
  // Output is kept as it was written, and becomes JSON when somebody takes it.
  struct Stored {
    std::string_view name;  // a literal
    std::string bytes;      // empty for the outcome, which stands in run_json_
    bool is_output = false;
  };
  void flush_output(engine::OutputStream stream, std::string& held, bool all);
  void add_locked(std::string_view name, std::string bytes, bool is_output);
  void send(const engine::InputControl& message);
  static void wake(std::vector<std::function<void()>>& sleepers);

  const std::string id_;
  const std::string caller_;
  const Pieces pieces_;
  mutable std::mutex mutex_;
  std::vector<Stored> events_;
  std::uint64_t taken_ = 0;  // the last that somebody has
  std::size_t bytes_ = 0;
  std::string held_out_, held_err_;  // the start of a character whose rest has not come yet
  bool over_ = false;
  bool cancelled_ = false;
  std::string run_json_;
  std::optional<Error> error_;
  std::shared_ptr<const Outcome> outcome_;
  std::vector<std::function<void()>> on_more_, on_end_;
  Fd control_;
  std::function<void(const engine::InputControl&)> control_sink_;
  std::vector<engine::InputControl> held_control_;
};

}  // namespace belljar::api
