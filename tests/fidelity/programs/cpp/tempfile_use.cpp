#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

int main() {
  namespace fs = std::filesystem;
  const std::string pattern = fs::temp_directory_path() / "fidelity-XXXXXX";
  std::string one = pattern;
  std::string other = pattern;
  if (mkdtemp(one.data()) == nullptr || mkdtemp(other.data()) == nullptr) return 1;
  const fs::path file = fs::path(one) / "file";
  std::ofstream(file) << "hello";
  std::ifstream reader(file);
  const std::string back{std::istreambuf_iterator<char>(reader), {}};
  std::cout << "wrote and read back " << back.size() << " bytes\n";
  if (one != other) std::cout << "two names differ\n";
  fs::remove_all(one);
  if (!fs::exists(file)) std::cout << "gone after removal\n";
}
