#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

int main() {
  int count = 0;
  std::mutex lock;
  std::vector<std::thread> threads;
  for (int name = 0; name < 4; ++name) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const std::lock_guard guard(lock);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::cout << threads.size() << " threads counted to " << count << "\njoined";
  for (std::size_t name = 0; name < threads.size(); ++name) std::cout << ' ' << name;
  std::cout << '\n';
}
