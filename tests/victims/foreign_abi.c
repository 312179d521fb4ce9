// Calls the kernel by another ABI's door: "int80", "x32", or a 32-bit program "elf32" (T107).
#include "attempt.h"

#include <fcntl.h>
#include <stdint.h>

// A 32-bit program by hand: getpid, then exit(0), through int 0x80.
static const unsigned char elf32[] = {
    0x7f, 'E',  'L',  'F',  1,    1,  1, 0, 0,    0,    0,    0,    0,    0,    0,    0,
    2,    0,    3,    0,    1,    0,  0, 0, 0x54, 0x80, 0x04, 0x08, 52,   0,    0,    0,
    0,    0,    0,    0,    0,    0,  0, 0, 52,   0,    32,   0,    1,    0,    0,    0,
    0,    0,    0,    0,    1,    0,  0, 0, 0,    0,    0,    0,    0,    0x80, 0x04, 0x08,
    0,    0x80, 0x04, 0x08, 0x70, 0,  0, 0, 0x70, 0,    0,    0,    5,    0,    0,    0,
    0,    0x10, 0,    0,    0xb8, 20, 0, 0, 0,    0xcd, 0x80, 0x31, 0xdb, 0xb8, 1,    0,
    0,    0,    0xcd, 0x80, 0,    0,  0, 0, 0,    0,    0,    0,    0,    0,    0,    0};

int main(int count, char** words) {
  const char* how = count > 1 ? words[1] : "int80";
  if (strcmp(how, "int80") == 0) {
    long result = 0;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");  // getpid of i386
    say("attempt int80: %s", result > 0 ? "ok" : "refused");
  } else if (strcmp(how, "x32") == 0) {
    attempt("x32", syscall(0x40000000 | SYS_getpid));
  } else {
    int fd = open("small", O_CREAT | O_WRONLY, 0700);
    if (write(fd, elf32, sizeof elf32) != (ssize_t)sizeof elf32) return 1;
    close(fd);
    execl("./small", "small", NULL);
    attempt("elf32", -1);
  }
  return 0;
}
