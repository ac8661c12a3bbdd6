#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_shared.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include "millrace_descriptor.h"
#include "millrace_lock.h"
#include "millrace_ring.h"

_Thread_local void *millrace_thread_passage = 0;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void in_the_original(void) { pthread_mutex_unlock(&lock); }
static void in_the_copy(void) { pthread_mutex_init(&lock, NULL); }

__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(before_fork, in_the_original, in_the_copy);
}

void millrace_shared_lock(void) {
  pthread_mutex_lock(&lock);
  millrace_lock_taken();
}

void millrace_shared_unlock(void) {
  pthread_mutex_unlock(&lock);
  // Nothing is let go of under it: what is left for later by another lock of this thread waits for that one.
  --millrace_thread_locks;
}

void millrace_memory_keep_in_forks(void *address, size_t size) { madvise(address, size, MADV_DOFORK); }

void millrace_memory_ask_huge(void *address, size_t size) {
  if (size >= MILLRACE_HOLDS_HUGE_PAGE) madvise(address, size, MADV_HUGEPAGE);
}

int millrace_file_own(const char *path) {
  return millrace_fd_open_own(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
}

void *millrace_file_map(int descriptor, size_t offset, size_t size) {
  void *address = mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, (off_t)offset);
  return address == MAP_FAILED ? NULL : address;
}

int millrace_robust_init(pthread_mutex_t *lock) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  int error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  if (error == 0) error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  if (error == 0) error = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  if (error == 0) error = pthread_mutex_init(lock, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return error;
}

int millrace_robust_lock(pthread_mutex_t *lock) {
  switch (pthread_mutex_lock(lock)) {
    case 0: return MILLRACE_ROBUST_TAKEN;
    case EOWNERDEAD:
      pthread_mutex_consistent(lock);
      return MILLRACE_ROBUST_INHERITED;
    case EDEADLK: return MILLRACE_ROBUST_OWN;
    default: return MILLRACE_ROBUST_BROKEN;
  }
}

void millrace_robust_unlock(pthread_mutex_t *lock) { pthread_mutex_unlock(lock); }
#endif
