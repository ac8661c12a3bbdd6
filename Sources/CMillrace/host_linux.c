#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_host.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>

int millrace_affinity_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return -1;
  return CPU_COUNT(&set);
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
