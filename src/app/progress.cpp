#include "app/progress.h"

#include <unistd.h>

#include <algorithm>

#include "app/byte_sink.h"
#include "app/terminal.h"
#include "base/text.h"

namespace belljar::app {
namespace {

constexpr std::size_t kBarColumns = 30;
constexpr std::string_view kClearLine = "\r\x1b[K";

}  // namespace

std::string render_progress(std::size_t done,
                            std::size_t total,
                            std::string_view name,
                            std::size_t columns) {
  done = std::min(done, total);
  const std::size_t filled = total == 0 ? kBarColumns : done * kBarColumns / total;
  std::string line = "[" + std::string(filled, '#') + std::string(kBarColumns - filled, ' ') +
                     "] " + std::to_string(done) + "/" + std::to_string(total);
  if (!name.empty()) line += " " + quote(name);
  // No character is wider than it has bytes.
  return std::string(cut_utf8(line, columns));
}

Progress::Progress(std::size_t total) : total_(total), visible_(is_terminal(STDERR_FILENO)) {}

Progress::~Progress() {
  if (visible_) static_cast<void>(write_patiently(STDERR_FILENO, kClearLine));
}

void Progress::show(std::size_t done, std::string_view name) {
  if (!visible_) return;
  // One column less than there are: a full line would wrap.
  const std::size_t columns = terminal_width(STDERR_FILENO) - 1;
  static_cast<void>(write_patiently(
      STDERR_FILENO, std::string(kClearLine) + render_progress(done, total_, name, columns)));
}

}  // namespace belljar::app
