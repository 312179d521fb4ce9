#include <iostream>
#include <vector>

int main() {
  int limit = 0;
  std::cin >> limit;
  std::vector<bool> composite(limit + 1);
  for (int number = 2; number <= limit; ++number) {
    if (composite[number]) continue;
    std::cout << number << ' ';
    for (int multiple = 2 * number; multiple <= limit; multiple += number) composite[multiple] = true;
  }
  std::cout << '\n';
}
