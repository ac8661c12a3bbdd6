#if defined(__linux__)
#include "millrace_main_queue.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

// What libdispatch has for run loops, CoreFoundation's first of all. Weak: a program may come without it.
extern int _dispatch_get_main_queue_handle_4CF(void) __attribute__((weak));
extern void _dispatch_main_queue_callback_4CF(void *message) __attribute__((weak));

int millrace_main_queue_descriptor(void) {
  if (!_dispatch_get_main_queue_handle_4CF || !_dispatch_main_queue_callback_4CF) return -1;
  // It ends the process where it finds no descriptor for itself.
  int free = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (free < 0) return -1;
  close(free);
  return _dispatch_get_main_queue_handle_4CF();
}

void millrace_main_queue_serve(int descriptor) {
  uint64_t count;
  // It does not block: who reads first takes all that there is.
  if (read(descriptor, &count, sizeof count) != (ssize_t)sizeof count) return;
  _dispatch_main_queue_callback_4CF(NULL);
}
#endif
