// Terminal: what the person sits at. Colour, width, raw mode, and Belljar's own messages.
#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belljar::app {

bool is_terminal(int fd);
// A terminal that understands colours, and nobody said NO_COLOR (no-color.org).
bool wants_colour(int fd);
// Columns of the terminal; 80 when it does not say.
std::size_t terminal_width(int fd);
// False for a terminal on which another job is in front: reading it would stop this process.
bool may_read(int fd);

enum class Colour : unsigned char { kNone, kRed, kGreen, kYellow, kDim, kBold };
// `text` in `colour` when `on`, else as it is.
std::string paint(std::string_view text, Colour colour, bool on);

// "belljar: <message>" on standard error, harmless for a terminal whatever names it holds.
void say(std::string_view message, Colour colour = Colour::kRed);

// The terminal hands over every key as it is typed, until the guard goes.
class RawMode {
 public:
  static Result<RawMode> enter(int fd);

  RawMode(RawMode&& other) noexcept;
  RawMode& operator=(RawMode&&) = delete;
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  ~RawMode();

 private:
  RawMode(int fd, const termios& before) : fd_(fd), before_(before) {}
  int fd_;
  termios before_;
};

}  // namespace belljar::app
