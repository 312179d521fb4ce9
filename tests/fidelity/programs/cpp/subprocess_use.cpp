#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>

int main() {
  char said[16] = "";
  {
    const std::unique_ptr<FILE, int (*)(FILE*)> child(popen("echo hello | tr a-z A-Z", "r"), pclose);
    if (std::fscanf(child.get(), "%15s", said) != 1) return 1;
  }
  std::cout << "child said " << said << '\n';
  std::cout << "child exited with " << WEXITSTATUS(std::system("exit 7")) << std::endl;
  const pid_t sleeper = vfork();
  if (sleeper == 0) {
    execlp("sleep", "sleep", "60", nullptr);
    _exit(127);
  }
  kill(sleeper, SIGTERM);
  int status = 0;
  waitpid(sleeper, &status, 0);
  std::cout << "child ended by signal " << WTERMSIG(status) << '\n';
}
