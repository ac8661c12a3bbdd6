// The main executable as it lies in memory.
#ifndef MILLRACE_IMAGE_H
#define MILLRACE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/// Where the main executable is loaded: [base, end). 0, or -1.
int millrace_image_range(uintptr_t *base, uintptr_t *end);

/// The table of the type descriptors that were compiled into this image, as the runtime knows them: [begin, end) of offsets,
/// each relative to its own place. The two lowest bits say what it points to; 0 is the descriptor itself.
void millrace_image_types(const int32_t **begin, const int32_t **end);

/// Whether there is something to be read at this address: 0 only if the kernel says that there is not.
int millrace_is_readable(const void *address);

/// Copies the linker's build ID of the main executable; returns its length, 0 if it has none.
size_t millrace_image_build_id(uint8_t *bytes, size_t capacity);

#endif
