// Progress: a bar on a terminal that shows how far a list of things has come.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace belljar::app {

// One line without its end, never wider than `columns`: "[#####     ] 3/6 name".
std::string render_progress(std::size_t done,
                            std::size_t total,
                            std::string_view name,
                            std::size_t columns);

// Draws over itself on standard error; draws nothing where that is no terminal.
class Progress {
 public:
  explicit Progress(std::size_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void show(std::size_t done, std::string_view name);

 private:
  std::size_t total_;
  bool visible_;
};

}  // namespace belljar::app
