// What a worker's first thread does: it waits for the end of the pool, reaps what the user's commands leave behind, and, in a fork of
// the program, looks whether somebody waits for what was lost with it.
//
// No signal says that an orphan has come or ended. SIGCHLD would, and would interrupt the items: so this thread looks, as
// long as somebody works who may start something, or something that was started is there.
#ifdef __linux__
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>
#include "launch_internal.h"
#include "millrace_descriptor.h"
#include "millrace_ring.h"
#include "millrace_tree.h"

enum { LOOK_MS = 500 };

static uint32_t at_work;  // threads
static uint32_t is_asleep;
static int bell = -1;  // wakes the first thread; user code may have closed it, and something else have its number
static uint64_t bell_kind;

void millrace_watch_set_up(void) {
  at_work = is_asleep = 0;
  bell = millrace_fd_lift(millrace_bell_create());
  bell_kind = bell >= 0 ? millrace_fd_kind(bell) : 0;
}

void millrace_work_begins(void) {
  __atomic_fetch_add(&at_work, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&is_asleep, __ATOMIC_SEQ_CST) && __atomic_exchange_n(&is_asleep, 0, __ATOMIC_SEQ_CST))
    millrace_bell_ring_own(bell, bell_kind);
}

void millrace_work_ends(void) { __atomic_fetch_sub(&at_work, 1, __ATOMIC_SEQ_CST); }

// Whether nobody works. From then on who begins to rings.
static int falls_asleep(void) {
  if (bell < 0) return 0;
  __atomic_store_n(&is_asleep, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&at_work, __ATOMIC_SEQ_CST) == 0) return 1;
  __atomic_store_n(&is_asleep, 0, __ATOMIC_SEQ_CST);
  return 0;
}

void millrace_watch(const int ends[2], int is_program_fork, const int *serving) {
  // What the user's threads have started is theirs, and comes here only when its thread has ended: so it has a while, in
  // which whoever waits for it gets it. The while is longer than from one look to the next.
  static millrace_orphans orphans;
  struct pollfd polled[3] = {{ends[0], POLLIN, 0}, {ends[1], POLLIN, 0}, {bell, POLLIN, 0}};
  millrace_stuck stuck = {0};
  uint64_t next_look = 0;
  int has_children = 0;
  for (;;) {
    uint64_t now = millrace_monotonic_now() / 1000000;
    int has_looked = now >= next_look;
    if (has_looked) {
      has_children = millrace_orphans_reap(&orphans);
      int is_working = __atomic_load_n(&at_work, __ATOMIC_SEQ_CST) > 0;
      // What was seen before nobody worked is of something else.
      if (!is_working) stuck = (millrace_stuck){0};
      else if (is_program_fork && millrace_is_stuck(&stuck, __atomic_load_n(serving, __ATOMIC_ACQUIRE))) {
        millrace_descendants_kill(getpid(), NULL, 0);
        _exit(MILLRACE_EXIT_STUCK);
      }
      next_look = now + LOOK_MS;
    }
    int timeout = has_looked && !has_children && falls_asleep() ? -1 : (int)(next_look - now);
    int count = poll(polled, 3, timeout);
    if (count < 0 && errno != EINTR) return;
    if (count <= 0) continue;
    if (polled[0].revents || polled[1].revents) return;
    if (millrace_fd_kind(bell) == bell_kind) millrace_bell_clear(bell);
    else polled[2].fd = -1;
  }
}
#endif
