// A lock between the threads of one process.
#ifndef MILLRACE_LOCK_H
#define MILLRACE_LOCK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>

/// A mutex that spins for a moment before it sleeps, where the C library has such ones.
typedef struct {
  pthread_mutex_t mutex;
} millrace_lock;

static inline void millrace_lock_init(millrace_lock *lock) {
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
  lock->mutex = (pthread_mutex_t)PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
#else
  pthread_mutex_init(&lock->mutex, NULL);
#endif
}

static inline void millrace_lock_destroy(millrace_lock *lock) { pthread_mutex_destroy(&lock->mutex); }

// What this thread knows of the locks that it holds. (A child of fork begins on a new thread, and so with none.)

/// How many it holds.
extern _Thread_local int millrace_thread_locks;
/// What is to be let go of when it holds none any more: a list of Swift's.
extern _Thread_local void *millrace_thread_leftovers;

static inline void millrace_lock_taken(void) { millrace_thread_locks++; }

/// Whether that was the last one, and something was left for this moment.
static inline int millrace_lock_released(void) {
  return --millrace_thread_locks == 0 && millrace_thread_leftovers != 0;
}

static inline void millrace_lock_take(millrace_lock *lock) {
  pthread_mutex_lock(&lock->mutex);
  millrace_lock_taken();
}

/// Whether that was the thread's last one, and something was left for this moment.
static inline int millrace_lock_release(millrace_lock *lock) {
  pthread_mutex_unlock(&lock->mutex);
  return millrace_lock_released();
}

static inline int millrace_locks_held(void) { return millrace_thread_locks; }

/// Puts `head` in the place of the list, which is returned.
static inline void *millrace_leftovers_exchange(void *head) {
  void *old = millrace_thread_leftovers;
  millrace_thread_leftovers = head;
  return old;
}

#endif
