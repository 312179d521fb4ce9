#include "app/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "base/sys.h"
#include "base/text.h"

namespace belljar::app {
namespace {

constexpr std::size_t kUsualWidth = 80;

std::string_view sequence(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      return "";
    case Colour::kRed:
      return "\x1b[1;31m";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kDim:
      return "\x1b[2m";
    case Colour::kBold:
      return "\x1b[1m";
  }
  return "";
}

}  // namespace

bool is_terminal(int fd) {
  return isatty(fd) == 1;
}

bool wants_colour(int fd) {
  if (!is_terminal(fd)) return false;
  const char* const no_colour = std::getenv("NO_COLOR");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  const char* const term = std::getenv("TERM");
  return term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

std::size_t terminal_width(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualWidth;
  return size.ws_col;
}

bool may_read(int fd) {
  const pid_t front = tcgetpgrp(fd);
  return front == -1 || front == getpgrp();
}

std::string paint(std::string_view text, Colour colour, bool on) {
  if (!on || colour == Colour::kNone) return std::string(text);
  return std::string(sequence(colour)).append(text).append("\x1b[0m");
}

void say(std::string_view message, Colour colour) {
  const std::string line = paint("belljar:", colour, wants_colour(STDERR_FILENO)) + " " +
                           escape_for_terminal(message) + "\n";
  // Nobody is left to be told when standard error is gone.
  static_cast<void>(sys::write_all(STDERR_FILENO, line));
}

Result<RawMode> RawMode::enter(int fd) {
  termios before{};
  if (tcgetattr(fd, &before) != 0) return fail_errno("tcgetattr");
  termios raw = before;
  cfmakeraw(&raw);
  if (tcsetattr(fd, TCSADRAIN, &raw) != 0) return fail_errno("tcsetattr");
  return RawMode(fd, before);
}

RawMode::RawMode(RawMode&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), before_(other.before_) {}

RawMode::~RawMode() {
  if (fd_ >= 0) tcsetattr(fd_, TCSADRAIN, &before_);
}

}  // namespace belljar::app
