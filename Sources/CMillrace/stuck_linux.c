// A fork copies the locks of a program as they are. One that another thread held just then stays taken in the child for ever, and
// whoever comes to it there waits for ever: in the Swift runtime, which has one for each generic type, or in any library.
//
// What can be told from outside: a thread waits for a mutex of the C library's, in which stands the number of the thread that took
// it, and there is no such thread.
#ifdef __linux__
#define _GNU_SOURCE
#include "launch_internal.h"

#ifdef __GLIBC__
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "millrace_descriptor.h"

enum {
  WAITED_FOR = 2,             // the word of a mutex that somebody waits for
  MOST_THREADS = 4 * 1024 * 1024,  // no thread has a number above that
  PLAIN_KINDS = 0x303,        // normal, recursive, checking and adaptive mutexes, with lock elision or without
  IDLE_NS = 50 * 1000 * 1000,
};

// How such a mutex begins.
typedef struct {
  int32_t word;
  uint32_t count;
  int32_t owner;
  uint32_t users;
  int32_t kind;
} mutex_head;

// The address of the futex that a thread of ours sleeps on, if it waits for a mutex.
static uintptr_t mutex_awaited(const char *task) {
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/self/task/%s/syscall", task);
  int fd = millrace_fd_open(path, O_RDONLY, 0);
  if (fd < 0) return 0;
  ssize_t count = read(fd, text, sizeof text - 1);
  close(fd);
  if (count <= 0) return 0;
  text[count] = 0;
  long number;
  unsigned long long address, operation, value;
  if (sscanf(text, "%ld %llx %llx %llx", &number, &address, &operation, &value) != 4) return 0;
  int command = (int)operation & FUTEX_CMD_MASK;
  int waits = number == SYS_futex && (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET);
  return waits && (uint32_t)value == WAITED_FOR ? (uintptr_t)address : 0;
}

static int is_of_nobody(uintptr_t address) {
  mutex_head mutex;
  struct iovec here = {&mutex, sizeof mutex}, there = {(void *)address, sizeof mutex};
  // It may be gone by now.
  if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != (ssize_t)sizeof mutex) return 0;
  if (mutex.word != WAITED_FOR || mutex.owner <= 0 || mutex.owner > MOST_THREADS || mutex.kind & ~PLAIN_KINDS) return 0;
  return syscall(SYS_tgkill, getpid(), mutex.owner, 0) != 0 && errno == ESRCH;
}

static uint64_t processor_time(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int millrace_is_stuck(millrace_stuck *before) {
  uint64_t time = processor_time();
  int is_idle = time - before->processor_time < IDLE_NS;
  before->processor_time = time;
  uintptr_t found = 0;
  DIR *tasks = is_idle ? opendir("/proc/self/task") : NULL;
  if (tasks) {
    for (struct dirent *task; !found && (task = readdir(tasks));) {
      if (task->d_name[0] == '.') continue;
      uintptr_t address = mutex_awaited(task->d_name);
      if (address && is_of_nobody(address)) found = address;
    }
    closedir(tasks);
  }
  int is_stuck = found && found == before->address;
  before->address = found;
  return is_stuck;
}

#else
int millrace_is_stuck(millrace_stuck *before) {
  (void)before;
  return 0;
}
#endif
#endif
