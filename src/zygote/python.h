// Python: the stock CPython interpreter that this library was loaded into, by the functions that it
// exports. No header of it is used: they differ from version to version, these functions do not.
//
// Runs in: a zygote, and then the program's process of its cells.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cell/plan.h"

struct _object;

namespace belljar::zygote {

// Keys and values of a dict in its order, borrowed.
using DictEntries = std::vector<std::pair<_object*, _object*>>;

class Python final : public cell::Interpreter {
 public:
  // Defines what prelude.py does. False, with the interpreter's error printed, when it cannot.
  bool begin();
  // Imports modules, separated by commas; the names of those that could not be, and why.
  std::string preload(std::string_view names);

  // Around the clone of a cell, in the zygote.
  static void before_fork();
  static void after_fork();

  void wake() override;
  void rehearse() override;
  void run(const cell::CellSpec& spec, int report) override;

 private:
  // Deletes what the program has made.
  void finalize();
  // What `python3 script` does once the interpreter is up, and at its end.
  [[noreturn]] void run_script(FILE* file, const char* path);

  _object* prelude_ = nullptr;  // a dict
  // What the interpreter has before any program: what a program has made is found without a touch
  // of the rest, every one of which would copy a page.
  DictEntries modules_, builtins_;
};

}  // namespace belljar::zygote
