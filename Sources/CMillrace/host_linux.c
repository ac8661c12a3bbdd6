#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_host.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>

// What the program was given when it started. A thread inherits the mask of the one that starts it, and who that is, is
// chance: whoever calls first. So nothing of ours goes by the mask of a caller.
static cpu_set_t of_program;
static int has_program;

__attribute__((constructor(101))) static void remember_affinity(void) {
  has_program = sched_getaffinity(0, sizeof of_program, &of_program) == 0;
}

int millrace_program_cpus(void) { return has_program ? CPU_COUNT(&of_program) : -1; }

void millrace_affinity_of_program(void) {
  cpu_set_t now;
  if (!has_program || sched_getaffinity(0, sizeof now, &now) != 0 || CPU_EQUAL(&now, &of_program)) return;
  // Refused if the program may use none of them any more: then the mask that it has is the right one.
  sched_setaffinity(0, sizeof of_program, &of_program);
}

int millrace_affinity_set(int tid, const int *cpus, size_t count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (size_t i = 0; i < count; i++) {
    if (cpus[i] < 0 || cpus[i] >= CPU_SETSIZE) { errno = EINVAL; return -1; }
    CPU_SET(cpus[i], &set);
  }
  return sched_setaffinity(tid, sizeof set, &set);
}

int millrace_affinity_get(int tid, int *cpus, size_t capacity) {
  cpu_set_t set;
  if (sched_getaffinity(tid, sizeof set, &set) != 0) return -1;
  size_t n = 0;
  for (int c = 0; c < CPU_SETSIZE && n < capacity; c++)
    if (CPU_ISSET(c, &set)) cpus[n++] = c;
  return (int)n;
}

void millrace_thread_name_set(const char *name) { pthread_setname_np(pthread_self(), name); }
#endif
