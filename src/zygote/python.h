// Python: the stock CPython interpreter that this library was loaded into, by the functions that it
// exports. No header of it is used: they differ from version to version, these functions do not.
//
// Runs in: a zygote, and then the program's process of its cells.
#pragma once

#include <string>
#include <string_view>

#include "cell/plan.h"

struct _object;

namespace belljar::zygote {

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
  _object* prelude_ = nullptr;  // a dict
};

}  // namespace belljar::zygote
