// Memory of the user's that several processes have in common, and what of it has to outlive a fork.
#ifndef MILLRACE_SHARED_H
#define MILLRACE_SHARED_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

// One lock for all that is known of shared objects: held over a fork, so that the copy finds it whole and free.

void millrace_shared_lock(void);
void millrace_shared_unlock(void);

/// For whom the calling thread encodes or decodes: an object of Swift's, or null.
extern _Thread_local void *millrace_thread_passage;

static inline void *millrace_passage(void) { return millrace_thread_passage; }

/// Returns the one that it was.
static inline void *millrace_passage_exchange(void *passage) {
  void *old = millrace_thread_passage;
  millrace_thread_passage = passage;
  return old;
}

/// A descriptor of ours that worker processes which are forked from this one keep, by its number.
void millrace_fd_keep(int fd);

/// Whether the numbers for descriptors are half used up. `fd`: any that is open.
int millrace_fd_are_few(int fd);

/// Lets forks of this process have a mapping too.
void millrace_memory_keep_in_forks(void *address, size_t size);

/// Asks for huge pages, where the system gives them to shared memory that asks.
void millrace_memory_ask_huge(void *address, size_t size);

/// Opens a file for reading; the descriptor is ours. -1 with errno.
int millrace_file_own(const char *path);

/// Maps a piece of a file for reading, shared.
void *millrace_file_map(int descriptor, size_t offset, size_t size);

// A lock between processes that survives its holder.

/// Makes the lock, in shared memory that nobody else has yet. 0, or errno.
int millrace_robust_init(pthread_mutex_t *lock);

enum {
  MILLRACE_ROBUST_TAKEN = 0,
  /// The thread that had it died: it is the caller's now, and what it guards may be half-written.
  MILLRACE_ROBUST_INHERITED = 1,
  /// The caller has it already.
  MILLRACE_ROBUST_OWN = 2,
  /// It is no lock any more: something has written over it.
  MILLRACE_ROBUST_BROKEN = 3,
};

int millrace_robust_lock(pthread_mutex_t *lock);
void millrace_robust_unlock(pthread_mutex_t *lock);

#endif
