#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_image.h"
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct image {
  uintptr_t base, end;
  uint8_t *id;
  size_t id_capacity, id_length;
};

static void read_notes(struct image *image, const char *at, const char *end) {
  while (at + sizeof(ElfW(Nhdr)) <= end) {
    const ElfW(Nhdr) *note = (const void *)at;
    const char *name = at + sizeof *note;
    const char *content = name + ((note->n_namesz + 3) & ~3u);
    at = content + ((note->n_descsz + 3) & ~3u);
    if (at > end) return;
    if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 || memcmp(name, "GNU", 4) != 0) continue;
    image->id_length = note->n_descsz < image->id_capacity ? note->n_descsz : image->id_capacity;
    if (image->id) memcpy(image->id, content, image->id_length);
    return;
  }
}

static int visit(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size;
  struct image *image = context;
  image->base = UINTPTR_MAX;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    uintptr_t start = info->dlpi_addr + header->p_vaddr;
    if (header->p_type == PT_LOAD) {
      if (start < image->base) image->base = start;
      if (start + header->p_memsz > image->end) image->end = start + header->p_memsz;
    } else if (header->p_type == PT_NOTE && image->id_length == 0) {
      read_notes(image, (const char *)start, (const char *)start + header->p_memsz);
    }
  }
  return 1;  // the main executable comes first; it is all that we want
}

int millrace_image_range(uintptr_t *base, uintptr_t *end) {
  struct image image = {0};
  dl_iterate_phdr(visit, &image);
  *base = image.base;
  *end = image.end;
  return image.end > image.base ? 0 : -1;
}

// The linker makes these for each section whose name is an identifier.
extern const int32_t __start_swift5_type_metadata[] __attribute__((weak, visibility("hidden")));
extern const int32_t __stop_swift5_type_metadata[] __attribute__((weak, visibility("hidden")));

void millrace_image_types(const int32_t **begin, const int32_t **end) {
  *begin = __start_swift5_type_metadata;
  *end = __stop_swift5_type_metadata;
}

int millrace_is_readable(const void *address) {
  // It reads the eight bytes of a set, and only then finds out that nothing can be done with one in this way.
  int saved = errno;
  long result = syscall(SYS_rt_sigprocmask, ~0, (const void *)((uintptr_t)address & ~(uintptr_t)7), NULL, (size_t)8);
  int is_fault = result != 0 && errno == EFAULT;
  errno = saved;
  return !is_fault;
}

size_t millrace_image_build_id(uint8_t *bytes, size_t capacity) {
  struct image image = {.id = bytes, .id_capacity = capacity};
  dl_iterate_phdr(visit, &image);
  return image.id_length;
}
#endif
