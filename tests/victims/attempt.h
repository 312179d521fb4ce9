// For victims in C: one line per attempt, "attempt WHAT: EPERM" or "attempt WHAT: ok".
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// Says one line at once: the victim may not live to flush it.
__attribute__((format(printf, 1, 2))) static inline void say(const char* format, ...) {
  char line[1024];
  va_list list;
  va_start(list, format);
  int size = vsnprintf(line, sizeof line - 1, format, list);
  va_end(list);
  if (size > (int)sizeof line - 2) size = sizeof line - 2;
  line[size++] = '\n';
  for (int at = 0; at < size;) {
    ssize_t done = write(1, line + at, (size_t)(size - at));
    if (done < 0 && errno != EINTR && errno != EAGAIN) return;
    if (done > 0) at += (int)done;
  }
}

static inline const char* errno_name(int number) {
  const char* name = strerrorname_np(number);
  return name ? name : "EUNKNOWN";
}

// Takes what a system call or a C library function answered: -1 with errno, or success.
static inline long attempt(const char* what, long result) {
  int number = errno;
  say("attempt %s: %s", what, result == -1 ? errno_name(number) : "ok");
  errno = number;
  return result;
}
