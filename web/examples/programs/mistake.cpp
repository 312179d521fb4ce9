#include <iostream>
#include <string>

int main() {
  std::string word = 42;
  std::cout << "This does not compile: " << wrod << '\n'
}
