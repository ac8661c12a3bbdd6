#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <sys/ioctl.h>
#include <unistd.h>

void millrace_set_nonblocking(int descriptor) {
  int flags = fcntl(descriptor, F_GETFL);
  if (flags >= 0) fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

void millrace_output_by_lines(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

int millrace_print(const void *bytes, unsigned long count) {
  errno = 0;
  if (fwrite(bytes, 1, count, stdout) == count) return 0;
  return errno ? errno : EIO;
}

int millrace_flush_output(void) {
  errno = 0;
  if (fflush(stdout) == 0) return 0;
  return errno ? errno : EIO;
}

long millrace_write_quietly(int descriptor, const void *bytes, unsigned long count) {
  // SIGPIPE is the program's to handle, not ours to raise: blocked here, and taken away if it came.
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  ssize_t written = write(descriptor, bytes, count);
  int error = errno;
  if (written < 0 && error == EPIPE && !sigismember(&before, SIGPIPE)) {
    struct timespec now = {0, 0};
    while (sigtimedwait(&pipe_signal, NULL, &now) < 0 && errno == EINTR) {}
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return written;
}

void millrace_write_all(int descriptor, const void *bytes, unsigned long count) {
  // SIGPIPE is the program's to handle, not ours to raise: blocked here, and taken away if it came.
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const char *rest = bytes;
  while (count > 0) {
    ssize_t written = write(descriptor, rest, count);
    if (written > 0) {
      rest += written;
      count -= (unsigned long)written;
    } else if (errno == EAGAIN) {
      struct pollfd ready = {.fd = descriptor, .events = POLLOUT};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      if (errno == EPIPE && !sigismember(&before, SIGPIPE)) {
        struct timespec now = {0, 0};
        while (sigtimedwait(&pipe_signal, NULL, &now) < 0 && errno == EINTR) {}
      }
      break;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int millrace_has_data(int descriptor) {
  int count = 0;
  return ioctl(descriptor, FIONREAD, &count) == 0 && count > 0;
}
#endif
