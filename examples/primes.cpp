// Prints how many primes there are up to a number, a million unless told, and the largest of them.
#include <cstdlib>
#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  const std::size_t limit = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  std::vector<bool> composite(limit + 1);
  std::size_t count = 0;
  std::size_t largest = 0;
  for (std::size_t n = 2; n <= limit; ++n) {
    if (composite[n]) continue;
    ++count;
    largest = n;
    for (std::size_t multiple = n * n; multiple <= limit; multiple += n) composite[multiple] = true;
  }
  std::cout << count << " primes up to " << limit;
  if (count > 0) std::cout << ", the largest is " << largest;
  std::cout << '\n';
}
