// RunStream: a live run's events as server-sent events (WHATWG HTML, section 9.2).
#pragma once

#include <memory>

#include "api/http.h"
#include "api/live_run.h"

namespace belljar::api {

class RunStream : public EventStream {
 public:
  // Begins with the event after number `after`: what a client got last, from Last-Event-ID.
  RunStream(std::shared_ptr<LiveRun> live, std::uint64_t after)
      : live_(std::move(live)), after_(after) {}

  bool take(std::string& text) override {
    // Asked before the events: what comes in between is seen the next time.
    const bool over = live_->is_over();
    for (const RunEvent& event : live_->events_after(after_)) {
      text += "id: " + std::to_string(event.number) + "\nevent: " + event.name +
              "\ndata: " + event.data + "\n\n";
      after_ = event.number;
    }
    return !over;
  }
  void on_more(std::function<void()> wake) override { live_->on_more(after_, std::move(wake)); }

 private:
  std::shared_ptr<LiveRun> live_;
  std::uint64_t after_;
};

// The answer that such a stream is; the header `name` says whose.
inline Response stream_of(std::shared_ptr<LiveRun> live,
                          std::uint64_t after,
                          std::string_view name) {
  Response response{.type = "text/event-stream"};
  response.headers.emplace_back(name, live->id());
  response.events = std::make_shared<RunStream>(std::move(live), after);
  return response;
}

}  // namespace belljar::api
