// Shared memory between two processes: atomics on plain words of it, memory files, futexes and event descriptors.
#ifndef MILLRACE_RING_H
#define MILLRACE_RING_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

// Atomics. The words lie in memory that is mapped by two processes, where no Swift object can live; all are naturally
// aligned and lock-free. They are inline, so that they cost one instruction, and ThreadSanitizer sees them.

static inline uint64_t millrace_load_relaxed_u64(const uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}
static inline uint64_t millrace_load_acquire_u64(const uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline void millrace_store_release_u64(uint64_t *word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline uint32_t millrace_load_relaxed_u32(const uint32_t *word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED);
}
static inline uint32_t millrace_load_acquire_u32(const uint32_t *word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline void millrace_store_relaxed_u32(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}
static inline void millrace_store_release_u32(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline uint32_t millrace_exchange_u32(uint32_t *word, uint32_t value) {
  return __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
}
/// Whether `word` was `expected` and is `desired` now.
static inline int millrace_swap_u32(uint32_t *word, uint32_t expected, uint32_t desired) {
  return __atomic_compare_exchange_n(word, &expected, desired, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
/// Full fence: no load after it is done before a store ahead of it is seen by all.
static inline void millrace_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/// Monotonic clock in nanoseconds; the same in all processes of the machine.
static inline uint64_t millrace_monotonic_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// Memory files. Each returns -1 (or NULL) with errno when it fails.

/// A close-on-exec memory file of exactly `size` bytes, sealed against any change of its size.
int millrace_memory_create(const char *name, size_t size);

/// Size of a memory file; EPERM if it could shrink under its reader, EINVAL if it is no memory file.
int64_t millrace_memory_sealed_size(int descriptor);

/// Bytes of a memory file that have pages, here or in the swap; 0 if nobody can tell.
int64_t millrace_memory_present(int descriptor);

/// Maps part of a memory file, shared. A fork of this process does not have the mapping.
void *millrace_memory_map(int descriptor, size_t offset, size_t size, int writable);

/// Reserves addresses that nothing can be read from or written to.
void *millrace_memory_reserve(size_t size);

/// Maps part of a memory file, writable, over reserved addresses.
int millrace_memory_map_over(void *address, int descriptor, size_t offset, size_t size);

/// Makes pages present: what would be a SIGBUS at the first touch, when memory is short, is an error here.
/// `address` and `size` are multiples of the page; they map `descriptor` from `offset` on.
int millrace_memory_populate(void *address, size_t size, int descriptor, size_t offset);

/// Whether this kernel (before 5.14) can do that by the descriptor alone; known once it was done.
int millrace_memory_needs_descriptor(void);

/// Readies memory of this process that is about to be written, all of it, if there is so much that it pays: where it is
/// fresh, its pages come many at a time.
void millrace_memory_prepare(void *address, size_t size);

enum {
  MILLRACE_HUGE_PAGE = 2 * 1024 * 1024,
  /// From so much on there is a huge page in it, wherever it lies.
  MILLRACE_HOLDS_HUGE_PAGE = 2 * MILLRACE_HUGE_PAGE,
  /// The largest block that the C library keeps: it goes so far by itself, and allows no more.
  MILLRACE_KEPT_BLOCK = 32 * 1024 * 1024,
};

/// Has the C library keep what this process frees for what it allocates next, up to 64 MiB in each of its arenas, where it
/// would give back all above 128 KiB. It does so by itself from when a block of 32 MiB was freed: this is such a block. Whoever
/// has set its thresholds has them as they were set.
void millrace_memory_keep(void);

int millrace_memory_unmap(void *address, size_t size);

size_t millrace_page_size(void);

// Sleeping and waking.

/// Sleeps while `*word == expected`, across processes, until the monotonic time `deadline` (UINT64_MAX: no deadline).
/// 0 when woken or when the word is not `expected` (or for no reason: look again); ETIMEDOUT.
int millrace_futex_wait(uint32_t *word, uint32_t expected, uint64_t deadline);

/// Wakes all that sleep on the word, in any process.
void millrace_futex_wake(uint32_t *word);

/// A close-on-exec, non-blocking event descriptor.
int millrace_bell_create(void);

/// Makes the event descriptor readable. 0, or errno; a counter that is full is no error, its reader is awake anyway.
int millrace_bell_ring(int descriptor);

/// The same where code of the user's may have closed it: nothing is written into what is not of the kind that it was
/// (`millrace_fd_kind`). EBADF then.
int millrace_bell_ring_own(int descriptor, uint64_t kind);

/// Makes the event descriptor unreadable until it is rung again.
void millrace_bell_clear(int descriptor);

#endif
