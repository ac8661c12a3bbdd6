#include "millrace_executors.h"
#include <stddef.h>

#if __has_attribute(swiftcall)
#define SWIFT __attribute__((swiftcall))

typedef SWIFT millrace_executor (*main_original)(void);
typedef SWIFT void (*global_original)(void *job);

// Weak: a runtime that does not have them is told by their address.
extern SWIFT millrace_executor (*swift_task_getMainExecutor_hook)(main_original original) __attribute__((weak));
extern SWIFT void (*swift_task_enqueueGlobal_hook)(void *job, global_original original) __attribute__((weak));

static millrace_executor main_executor;
static void (*global_enqueue)(void *job);

static SWIFT millrace_executor get_main_executor(main_original original) {
  (void)original;
  return main_executor;
}

static SWIFT void enqueue_globally(void *job, global_original original) {
  (void)original;
  global_enqueue(job);
}

int millrace_main_executor_set(millrace_executor executor) {
  if (&swift_task_getMainExecutor_hook == NULL) return -1;
  main_executor = executor;
  swift_task_getMainExecutor_hook = get_main_executor;
  return 0;
}

int millrace_global_executor_set(void (*enqueue)(void *job)) {
  if (&swift_task_enqueueGlobal_hook == NULL) return -1;
  global_enqueue = enqueue;
  swift_task_enqueueGlobal_hook = enqueue_globally;
  return 0;
}

#else
int millrace_main_executor_set(millrace_executor executor) {
  (void)executor;
  return -1;
}

int millrace_global_executor_set(void (*enqueue)(void *job)) {
  (void)enqueue;
  return -1;
}
#endif
