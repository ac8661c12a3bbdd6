#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_ring.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "millrace_descriptor.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static int fail_closing(int descriptor) {
  int error = errno;
  millrace_fd_close(descriptor);
  errno = error;
  return -1;
}

// Beyond the limit on the size of files it is refused, and a signal is sent that would end the program: taken away again.
static int resize(int descriptor, size_t size) {
  sigset_t too_large, before;
  sigemptyset(&too_large);
  sigaddset(&too_large, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &too_large, &before);
  int result;
  do result = ftruncate(descriptor, (off_t)size);
  while (result != 0 && errno == EINTR);
  int error = errno;
  if (result != 0 && error == EFBIG && !sigismember(&before, SIGXFSZ)) {
    struct timespec now = {0, 0};
    while (sigtimedwait(&too_large, NULL, &now) < 0 && errno == EINTR) {}
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return result;
}

int millrace_memory_create(const char *name, size_t size) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  // Hardened systems refuse memory files that could be executed; kernels before 6.3 do not know the flag.
  millrace_fd_lock();
  int descriptor = memfd_create(name, flags | MFD_NOEXEC_SEAL);
  if (descriptor < 0 && errno == EINVAL) descriptor = memfd_create(name, flags);
  descriptor = millrace_fd_own(descriptor);
  millrace_fd_unlock();
  if (descriptor < 0) return -1;
  if (resize(descriptor, size) != 0) return fail_closing(descriptor);
  if (fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return fail_closing(descriptor);
  return descriptor;
}

int64_t millrace_memory_sealed_size(int descriptor) {
  int seals = fcntl(descriptor, F_GET_SEALS);
  if (seals < 0) return -1;
  if (!(seals & F_SEAL_SHRINK)) { errno = EPERM; return -1; }
  struct stat status;
  if (fstat(descriptor, &status) != 0) return -1;
  return status.st_size;
}

int64_t millrace_memory_present(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 ? (int64_t)status.st_blocks * 512 : 0;
}

void *millrace_memory_map(int descriptor, size_t offset, size_t size, int writable) {
  int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void *address = mmap(NULL, size, protection, MAP_SHARED, descriptor, (off_t)offset);
  if (address == MAP_FAILED) return NULL;
  madvise(address, size, MADV_DONTFORK);  // whoever forks: the copy is not a party to it
  return address;
}

void *millrace_memory_reserve(size_t size) {
  void *address = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return address == MAP_FAILED ? NULL : address;
}

int millrace_memory_map_over(void *address, int descriptor, size_t offset, size_t size) {
  void *mapped = mmap(address, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, (off_t)offset);
  if (mapped == MAP_FAILED) return -1;
  madvise(mapped, size, MADV_DONTFORK);
  return 0;
}

static int needs_descriptor;

int millrace_memory_needs_descriptor(void) { return __atomic_load_n(&needs_descriptor, __ATOMIC_RELAXED); }

int millrace_memory_populate(void *address, size_t size, int descriptor, size_t offset) {
  int result;
  do result = madvise(address, size, MADV_POPULATE_WRITE);
  while (result != 0 && (errno == EINTR || errno == EAGAIN));
  if (result == 0) return 0;
  if (errno == EFAULT) { errno = ENOMEM; return -1; }  // where a touch would have been a SIGBUS
  if (errno != EINVAL) return -1;
  __atomic_store_n(&needs_descriptor, 1, __ATOMIC_RELAXED);
  do result = fallocate(descriptor, 0, (off_t)offset, (off_t)size);  // kernels before 5.14
  while (result != 0 && errno == EINTR);
  return result;
}

enum { WORTH_PREPARING = 512 * 1024 };

void millrace_memory_prepare(void *address, size_t size) {
  if (size < WORTH_PREPARING) return;
  size_t page = millrace_page_size();
  // Where it was in use before it is ready, and what follows would only take time. One page stands for all.
  unsigned char is_there = 0;
  uintptr_t middle = ((uintptr_t)address + size / 2) & ~(page - 1);
  if (mincore((void *)middle, page, &is_there) != 0 || is_there & 1) return;
  // With huge pages one fault brings two million bytes; for less, one call brings what would take a fault for each page.
  // A kernel that knows neither refuses, and the pages come one by one as they are touched.
  size_t unit = size >= MILLRACE_HOLDS_HUGE_PAGE ? MILLRACE_HUGE_PAGE : page;
  uintptr_t from = ((uintptr_t)address + unit - 1) & ~(unit - 1), to = ((uintptr_t)address + size) & ~(unit - 1);
  madvise((void *)from, to - from, size >= MILLRACE_HOLDS_HUGE_PAGE ? MADV_HUGEPAGE : MADV_POPULATE_WRITE);
}

void millrace_memory_keep(void) {
#ifdef __GLIBC__
  static atomic_flag is_done = ATOMIC_FLAG_INIT;
  if (atomic_flag_test_and_set_explicit(&is_done, memory_order_relaxed)) return;
  // The largest block that it learns from, with room for its header. No page of it is touched.
  void *volatile block = malloc(MILLRACE_KEPT_BLOCK - 2 * millrace_page_size());
  free(block);
#endif
}

int millrace_memory_unmap(void *address, size_t size) { return munmap(address, size); }

size_t millrace_page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

int millrace_futex_wait(uint32_t *word, uint32_t expected, uint64_t deadline) {
  struct timespec until = {(time_t)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
  // The bitset form takes an absolute time, so a signal in between does not lengthen the wait.
  long result = syscall(
    SYS_futex, word, FUTEX_WAIT_BITSET, expected, deadline == UINT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
  return result != 0 && errno == ETIMEDOUT ? ETIMEDOUT : 0;
}

void millrace_futex_wake(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); }

int millrace_bell_create(void) {
  millrace_fd_lock();
  int descriptor = millrace_fd_own(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  millrace_fd_unlock();
  return descriptor;
}

int millrace_bell_ring(int descriptor) {
  uint64_t one = 1;
  ssize_t count;
  do count = write(descriptor, &one, sizeof one);
  while (count < 0 && errno == EINTR);
  return count == sizeof one || errno == EAGAIN ? 0 : errno;
}

int millrace_bell_ring_own(int descriptor, uint64_t kind) {
  return kind != 0 && millrace_fd_kind(descriptor) == kind ? millrace_bell_ring(descriptor) : EBADF;
}

void millrace_bell_clear(int descriptor) {
  uint64_t count;
  while (read(descriptor, &count, sizeof count) < 0 && errno == EINTR) {}
}
#endif
