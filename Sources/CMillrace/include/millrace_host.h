// The machine: CPUs and affinity.
#ifndef MILLRACE_HOST_H
#define MILLRACE_HOST_H

#include <stddef.h>
#include <stdint.h>

/// Number of CPUs that the calling thread may run on, or -1 with errno.
int millrace_affinity_count(void);

/// Binds a thread (0: the calling one) to `count` CPU numbers. 0, or -1 with errno (ENOTSUP where the platform cannot).
int millrace_affinity_set(int tid, const int *cpus, size_t count);

/// Writes at most `capacity` CPU numbers that the thread (0: the calling one) is bound to; returns how many, or -1 with errno.
int millrace_affinity_get(int tid, int *cpus, size_t capacity);

#endif
