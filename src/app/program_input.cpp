#include "app/program_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "base/sys.h"
#include "base/text.h"

namespace belljar::app {

Result<ProgramInput> open_input(const Arguments& arguments, int signal_fd) {
  using Kind = engine::Input::Kind;
  ProgramInput source;
  source.input = {
      .kind = Kind::kDescriptor, .bytes = {}, .fd = STDIN_FILENO, .signal_fd = signal_fd};
  if (arguments.has("tty")) {
    if (!is_terminal(STDIN_FILENO))
      return fail(Code::kInvalid, "--tty needs a terminal on standard input");
    source.input.kind = Kind::kTerminal;
    TRY_ASSIGN(RawMode raw, RawMode::enter(STDIN_FILENO));
    source.raw.emplace(std::move(raw));
  } else if (const auto file = arguments.value("stdin")) {
    const std::string path(*file);
    auto opened = sys::open_file(path.c_str(), O_RDONLY | O_NOCTTY);
    if (!opened) {
      return fail(Code::kInvalid, "--stdin " + quote(path) + ": " + opened.error().message);
    }
    source.file = *std::move(opened);
    source.input.fd = source.file.get();
  } else if (arguments.operands().front() == "-" || !may_read(STDIN_FILENO)) {
    source.input.kind = Kind::kEmpty;
    source.input.fd = -1;
  }
  return source;
}

}  // namespace belljar::app
