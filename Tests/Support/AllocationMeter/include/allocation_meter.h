// How much memory the calling thread asks for, however soon it gives it back.
#ifndef ALLOCATION_METER_H
#define ALLOCATION_METER_H

#include <stddef.h>

/// Whether allocations are counted in this program: not with a sanitizer, which has an allocator of its own, nor without glibc.
int allocation_meter_works(void);

/// Begins to count for the calling thread.
void allocation_meter_start(void);

/// What the calling thread has asked for since then: the largest piece, and all of them.
void allocation_meter_read(size_t *largest, size_t *total);

#endif
