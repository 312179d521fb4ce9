#include "api/interactive_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "api/json_reader.h"
#include "base/sys.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

// What may wait unread in the program's stdin.
constexpr std::size_t kInputBytes = 1 * kMiB;

Result<int> signal_number(const std::string& name) {
  for (int signal = 1; signal <= 64; ++signal) {
    if (signal_name(signal) == name) return signal;
  }
  return fail(Code::kInvalid, "name: there is no signal " + quote(name));
}

Result<std::uint16_t> side(JsonReader& reader, std::string_view name, std::uint16_t fallback) {
  TRY_ASSIGN(const auto number, reader.count(name));
  if (number && (*number == 0 || *number > 1000)) return reader.wrong(name, "1 to 1000");
  return number ? static_cast<std::uint16_t>(*number) : fallback;
}

Result<engine::InputControl> read_size(JsonReader& reader) {
  engine::InputControl size{.kind = engine::InputControl::Kind::kResize};
  TRY_ASSIGN(size.rows, side(reader, "rows", 24));
  TRY_ASSIGN(size.columns, side(reader, "columns", 80));
  return size;
}

}  // namespace

Status InteractiveRun::handle(std::string_view type, JsonReader& reader, LiveRun& live) {
  if (type == "stdin") {
    TRY_ASSIGN(const auto plain, reader.text("text"));
    TRY_ASSIGN(const auto coded, reader.text("base64"));
    TRY(reader.finish());
    if (plain) return type_in(*plain);
    const auto bytes = base64_decode(coded.value_or("?"));
    if (!bytes) return fail(Code::kInvalid, "base64: is not base64");
    return type_in(*bytes);
  }
  if (type == "eof") {
    TRY(reader.finish());
    end_input();
    return {};
  }
  if (type == "signal") {
    TRY_ASSIGN(const std::string name, reader.text_or("name", ""));
    TRY_ASSIGN(const int number, signal_number(name));
    TRY(reader.finish());
    live.control({.kind = engine::InputControl::Kind::kSignal, .signal = number});
    return {};
  }
  if (type == "resize") {
    TRY_ASSIGN(const engine::InputControl size, read_size(reader));
    TRY(reader.finish());
    live.control(size);
    return {};
  }
  if (type == "cancel") {
    TRY(reader.finish());
    live.cancel();
    return {};
  }
  return fail(Code::kInvalid, "type: must be start, stdin, eof, signal, resize or cancel");
}

Status InteractiveRun::start(JsonReader& reader) {
  const json::value* const run = reader.find("run");
  if (run == nullptr) return reader.wrong("run", "an object");
  TRY_ASSIGN(RunRequest request, read_run_request(*run, "run"));
  TRY_ASSIGN(const auto tty, reader.flag("tty"));
  TRY_ASSIGN(const engine::InputControl size, read_size(reader));
  TRY(reader.finish());

  TRY_ASSIGN(sys::Pipe pipe, sys::make_pipe());
  TRY(sys::set_nonblocking(pipe.write.get()));
  ::fcntl(pipe.write.get(), F_SETPIPE_SZ, static_cast<int>(kInputBytes));
  const std::string first = std::exchange(request.input, "");
  request.interactive = true;
  SubmitOptions options;
  options.input.kind = tty.value_or(false) ? RunInput::Kind::kTerminal : RunInput::Kind::kPipe;
  options.input.pipe = std::make_shared<Fd>(std::move(pipe.read));
  TRY_ASSIGN(const Submitted submitted,
             runs_.submit(caller_, std::move(request), std::move(options)));
  if (tty.value_or(false)) submitted.live->control(size);
  {
    const std::lock_guard lock(mutex_);
    input_ = std::move(pipe.write);
  }
  begun(submitted.live);
  return first.empty() ? Status() : type_in(first);
}

Status InteractiveRun::type_in(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (!input_.valid()) return fail(Code::kInvalid, "stdin: its end was sent before");
  const ssize_t done = ::write(input_.get(), bytes.data(), bytes.size());
  if (done >= 0 && std::cmp_equal(done, bytes.size())) return {};
  if (done < 0 && errno == EPIPE) return {};  // the run is over; its outcome says so
  input_.reset();
  return fail(Code::kExhausted,
              "stdin: more than " + format_bytes(kInputBytes) + " wait unread; its end was sent");
}

void InteractiveRun::end_input() {
  const std::lock_guard lock(mutex_);
  input_.reset();
}

void InteractiveRun::leave(LiveRun* live) {
  end_input();
  if (live != nullptr) live->cancel();
}

}  // namespace belljar::api
