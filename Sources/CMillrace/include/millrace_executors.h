// What the Swift runtime asks before it hands a job to an executor of its own: the hooks of its <swift/Runtime/Concurrency.h>.
#ifndef MILLRACE_EXECUTORS_H
#define MILLRACE_EXECUTORS_H

#include <stdint.h>

/// An executor as the runtime passes it: an object, and how it is an executor.
typedef struct {
  void *identity;
  uintptr_t implementation;
} millrace_executor;

/// From now on, the main actor's executor is this one. 0, or -1 where the runtime cannot be asked to.
int millrace_main_executor_set(millrace_executor executor);

/// From now on, jobs that prefer no executor are given to `enqueue`. 0, or -1 where the runtime cannot be asked to.
int millrace_global_executor_set(void (*enqueue)(void *job));

#endif
