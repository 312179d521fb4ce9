#include "api/conversation.h"

#include <boost/json.hpp>
#include <utility>

#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {

namespace json = boost::json;

void Conversation::complain(const Error& error) {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    errors_.push_back(
        json_text(json::object{{"type", "error"}, {"detail", repair_utf8(error.message)}}));
    wake.swap(wake_);
  }
  if (wake) wake();
}

void Conversation::on_message(std::string_view bytes, bool is_text) {
  const Status done = is_text
                          ? read(bytes)
                          : Status(fail(Code::kInvalid, "messages must be text, with JSON in it"));
  if (done) return;
  {
    const std::lock_guard lock(mutex_);
    if (live_ == nullptr) failed_ = true;
  }
  complain(done.error());
}

Status Conversation::read(std::string_view text) {
  TRY_ASSIGN(const json::value message, parse_json(text));
  TRY_ASSIGN(JsonReader reader, JsonReader::of(message, ""));
  TRY_ASSIGN(const std::string type, reader.text_or("type", ""));
  std::shared_ptr<LiveRun> live;
  {
    const std::lock_guard lock(mutex_);
    live = live_;
  }
  if (type == "start") {
    if (live != nullptr) return fail(Code::kInvalid, "type: the start has been sent");
    return start(reader);
  }
  if (live == nullptr) return fail(Code::kInvalid, "type: the first message must be a start");
  return handle(type, reader, *live);
}

void Conversation::begun(std::shared_ptr<LiveRun> live) {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    live_ = std::move(live);
    wake.swap(wake_);
  }
  if (wake) wake();
}

void Conversation::on_close() {
  std::shared_ptr<LiveRun> live;
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    live = live_;
    // Without a run nothing more will come to send: who waits for it holds the connection.
    failed_ = true;
    wake.swap(wake_);
  }
  leave(live != nullptr && !live->is_over() ? live.get() : nullptr);
  if (wake) wake();
}

bool Conversation::take(std::vector<std::string>& messages) {
  const std::lock_guard lock(mutex_);
  for (std::string& error : errors_) messages.push_back(std::move(error));
  errors_.clear();
  if (live_ == nullptr) return !failed_;
  const bool over = live_->is_over();
  for (const RunEvent& event : live_->events_after(after_)) {
    after_ = event.number;
    // The data is an object: the type goes in front of what it has.
    if (event.name == "outcome") {
      messages.push_back(R"({"type":"outcome",")" + std::string(outcome_) + "\":" + event.data +
                         "}");
    } else {
      messages.push_back("{\"type\":\"" + event.name + "\"," + event.data.substr(1));
    }
  }
  return !over;
}

void Conversation::on_more(std::function<void()> wake) {
  std::shared_ptr<LiveRun> live;
  {
    const std::lock_guard lock(mutex_);
    if (errors_.empty() && !failed_) {
      wake_ = wake;
      live = live_;
      if (live == nullptr) return;
    }
  }
  if (live == nullptr) return wake();
  live->on_more(after_, std::move(wake));
}

}  // namespace belljar::api
