// One file as its language reads it: the bytes that will run, turned into the text to parse.
//
// What an interpreter or a compiler does to bytes before it looks for words is done here too, so
// that nothing hides in it: a byte order mark, newlines of every kind, C's spliced lines, Java's
// \uXXXX. Every place in the text leads back to the place in the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belljar::screen {

enum class Dialect : std::uint8_t { kPython, kJavaScript, kC, kCpp, kJava };

// Where something stands, as people count: both from 1, columns in characters. `offset` is what
// Python calls col_offset: bytes since the line began.
struct Place {
  std::size_t line = 1;
  std::size_t column = 1;
  std::size_t offset = 0;
};

// Why the bytes cannot be judged: what would run is not what was read.
struct Obstacle {
  std::string_view rule;  // "not-utf8", "nul", "encoding"
  std::string reason;
  Place place;
};

class Source {
 public:
  // `bytes` must outlive this.
  Source(Dialect dialect, std::string_view bytes);

  std::string_view text() const { return text_; }
  // Of a place in text().
  Place place(std::size_t text_offset) const;
  // What the file holds between two places of text(), cut where it is long.
  std::string quoted(std::size_t text_begin, std::size_t text_end) const;
  const std::vector<Obstacle>& obstacles() const { return obstacles_; }

 private:
  // From `text` on, the same number of bytes further, until the next of these.
  struct Piece {
    std::size_t text;
    std::size_t bytes;
  };

  void translate(Dialect dialect);
  std::size_t origin(std::size_t text_offset) const;
  Place place_in_bytes(std::size_t offset) const;

  std::string_view bytes_;
  std::string text_;
  std::vector<Piece> pieces_;
  std::vector<std::size_t> line_starts_;
  std::vector<Obstacle> obstacles_;
};

}  // namespace belljar::screen
