// belljar: one static file, without what only a fleet needs.
#include "app/program.h"

int main(int argc, char** argv) {
  return belljar::app::program_main(argc, argv, nullptr);
}
