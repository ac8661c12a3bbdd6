#define _GNU_SOURCE
#include "allocation_meter.h"

#include <errno.h>
#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__GLIBC__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define WORKS 1
#else
#define WORKS 0
#endif

static __thread size_t largest, total;

int allocation_meter_works(void) { return WORKS; }

void allocation_meter_start(void) { largest = total = 0; }

void allocation_meter_read(size_t *largest_piece, size_t *all) {
  *largest_piece = largest;
  *all = total;
}

#if WORKS
// The program's own symbols come before those of the C library, for all that is linked to it; these are the library's
// own names for what it would have done.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static void count(size_t size) {
  if (size > largest) largest = size;
  if (__builtin_add_overflow(total, size, &total)) total = (size_t)-1;
}

void *malloc(size_t size) {
  count(size);
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  size_t all;
  count(__builtin_mul_overflow(number, size, &all) ? (size_t)-1 : all);
  return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
  count(size);
  return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  count(size);
  void *found = __libc_memalign(alignment, size);
  if (!found) return ENOMEM;
  *memory = found;
  return 0;
}
#endif
