// Prints what its cell looks like from inside: every wall that a program can see. A fault while the
// cell was made must leave these lines as they are without the fault, or nothing at all.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void lines(const char* path, const char* const* wanted) {
  FILE* file = fopen(path, "r");
  char line[512];
  while (file && fgets(line, sizeof line, file)) {
    for (const char* const* want = wanted; *want; ++want) {
      if (strncmp(line, *want, strlen(*want)) == 0) printf("%s %s", path, line);
    }
  }
  if (file) fclose(file);
}

int main(void) {
  static const char* const status[] = {"CapInh",     "CapPrm",   "CapEff", "CapBnd", "CapAmb",
                                       "NoNewPrivs", "Seccomp:", "Groups", "SigBlk", "SigIgn",
                                       "SigCgt",     "NSpid",    "NSsid",  NULL};
  static const char* const everything[] = {"", NULL};
  printf("started\n");
  lines("/proc/self/status", status);
  lines("/proc/self/cgroup", everything);
  FILE* mounts = fopen("/proc/self/mounts", "r");
  char line[512];
  while (mounts && fgets(line, sizeof line, mounts)) {
    char* owner = strstr(line, ",uid=");
    printf("mount %.*s\n", (int)(owner ? owner - line : (long)strcspn(line, "\n")), line);
  }
  if (mounts) fclose(mounts);
  char name[64] = "";
  gethostname(name, sizeof name);
  printf("host %s, root uid %d, same uids %d, parent %d\n", name, getuid() == 0,
         getuid() == geteuid(), getppid());
  for (int fd = 0; fd < 1024; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) printf("fd %d\n", fd);
  }
  for (int resource = 0; resource < 16; ++resource) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0)
      printf("rlimit %d %ld %ld\n", resource, (long)limit.rlim_cur, (long)limit.rlim_max);
  }
  int packet = socket(AF_PACKET, SOCK_RAW, 0);
  printf("packet socket %s\n", packet < 0 ? strerror(errno) : "made");
  printf("ptrace %s\n", syscall(SYS_ptrace, 0, 0, 0, 0) < 0 ? strerror(errno) : "done");
  int inet = socket(AF_INET, SOCK_DGRAM, 0);
  for (int index = 1; index < 32; ++index) {
    struct ifreq request = {.ifr_ifindex = index};
    if (ioctl(inet, SIOCGIFNAME, &request) == 0) printf("interface %s\n", request.ifr_name);
  }
  struct timespec boot;
  clock_gettime(CLOCK_BOOTTIME, &boot);
  printf("young %d\n", boot.tv_sec < 30);
  printf("finished\n");
  return 0;
}
