#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_signals.h"

#include <errno.h>
#include <pthread.h>
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

static int is_ours(const struct sigaction *action) {
  return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == pass_on;
}

static int is_somebodys(const struct sigaction *action) {
  if (action->sa_flags & SA_SIGINFO) return action->sa_sigaction != 0;
  return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN && action->sa_handler != pass_on;
}

int millrace_signals_lost(int number) {
  struct sigaction now;
  return sigaction(number, 0, &now) == 0 && !is_ours(&now);
}

int millrace_signals_handled(int number) {
  struct sigaction now;
  return sigaction(number, 0, &now) == 0 && is_somebodys(&now);
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

void millrace_signals_unblock(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_UNBLOCK, &set, 0);
}

void millrace_signals_unwatch(void) {
  // Whoever has put a handler in the place of ours meanwhile keeps it.
  if (!millrace_signals_lost(SIGINT)) sigaction(SIGINT, &before_interrupt, 0);
  if (!millrace_signals_lost(SIGTERM)) sigaction(SIGTERM, &before_terminate, 0);
  atomic_store(&watcher, -1);
}
#endif
