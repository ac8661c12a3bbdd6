// The machine: CPUs and affinity.
#ifndef MILLRACE_HOST_H
#define MILLRACE_HOST_H

#include <stddef.h>
#include <stdint.h>

/// Number of CPUs that the program could run on when it started, or -1.
int millrace_program_cpus(void);

/// Binds the calling thread to the CPUs that the program had when it started, if it has inherited others: what every
/// thread of ours does first.
void millrace_affinity_of_program(void);

/// Binds a thread (0: the calling one) to `count` CPU numbers. 0, or -1 with errno (ENOTSUP where the platform cannot).
int millrace_affinity_set(int tid, const int *cpus, size_t count);

/// Writes at most `capacity` CPU numbers that the thread (0: the calling one) is bound to; returns how many, or -1 with errno.
int millrace_affinity_get(int tid, int *cpus, size_t capacity);

/// Names the calling thread (at most 15 bytes), as debuggers and /proc show it.
void millrace_thread_name_set(const char *name);

/// Tells the processor that the caller spins, so that it saves power and lets its sibling thread run. (On arm64 `yield`
/// does nothing where a core runs one thread, as most do; `isb` holds the spinning core up for some ten nanoseconds.)
static inline void millrace_spin_hint(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb" ::: "memory");
#elif defined(__arm__)
  __asm__ __volatile__("yield" ::: "memory");
#endif
}

#endif
