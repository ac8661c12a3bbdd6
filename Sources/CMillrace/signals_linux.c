#ifdef __linux__
#include "millrace_signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_int watcher = -1;
static struct sigaction before_interrupt, before_terminate;

static void pass_on(int number) {
  int saved = errno;
  unsigned char byte = (unsigned char)number;
  int descriptor = atomic_load(&watcher);
  // A full pipe holds enough signals for every stage.
  if (descriptor >= 0 && write(descriptor, &byte, 1) < 0) {}
  errno = saved;
}

int millrace_signals_watch(int descriptor) {
  int nobody = -1;
  if (!atomic_compare_exchange_strong(&watcher, &nobody, descriptor)) return EBUSY;
  struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGINT, &action, &before_interrupt) != 0 || sigaction(SIGTERM, &action, &before_terminate) != 0) {
    int error = errno;
    atomic_store(&watcher, -1);
    return error;
  }
  return 0;
}

void millrace_signals_unwatch(void) {
  sigaction(SIGINT, &before_interrupt, 0);
  sigaction(SIGTERM, &before_terminate, 0);
  atomic_store(&watcher, -1);
}
#endif
