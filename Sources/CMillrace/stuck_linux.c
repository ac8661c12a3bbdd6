// A fork has one of the program's threads. What another one held or was doing just then stays so in the child for ever, and whoever waits for
// that there waits for ever: for a lock of the Swift runtime's, which has one for each generic type, or of any library's; for an actor or a
// queue that was running.
//
// What can be told from outside: a thread waits for a mutex of the C library's, in which stands the number of the thread that took it, and
// there is no such thread. Or all threads wait, without limit, for another one of the process's, and there is none that could go on.
#ifdef __linux__
#define _GNU_SOURCE
#include "launch_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "millrace_descriptor.h"

enum { IDLE_NS = 50 * 1000 * 1000 };

// What a thread of ours sleeps on.
typedef struct {
  int is_futex;      // one that threads of this process alone use, and without a time limit
  uint64_t address;
  uint32_t value;    // that it had when the wait began
} awaited;

static awaited awaited_by(long thread) {
  awaited result = {0};
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/self/task/%ld/syscall", thread);
  int fd = millrace_fd_open(path, O_RDONLY, 0);
  if (fd < 0) return result;
  ssize_t count = read(fd, text, sizeof text - 1);
  close(fd);
  if (count <= 0) return result;
  text[count] = 0;
  long number;
  unsigned long long address, operation, value, limit;
  if (sscanf(text, "%ld %llx %llx %llx %llx", &number, &address, &operation, &value, &limit) != 5) return result;
  int command = (int)operation & FUTEX_CMD_MASK;
  if (number != SYS_futex || !(operation & FUTEX_PRIVATE_FLAG) || limit) return result;
  result.is_futex = command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
  result.address = address;
  result.value = (uint32_t)value;
  return result;
}

#ifdef __GLIBC__
enum {
  WAITED_FOR = 2,                  // the word of a mutex that somebody waits for
  MOST_THREADS = 4 * 1024 * 1024,  // no thread has a number above that
  PLAIN_KINDS = 0x303,             // normal, recursive, checking and adaptive mutexes, with lock elision or without
};

// How a mutex begins.
typedef struct {
  int32_t word;
  uint32_t count;
  int32_t owner;
  uint32_t users;
  int32_t kind;
} mutex_head;

static int is_mutex_of_nobody(const awaited *what) {
  if (!what->is_futex || what->value != WAITED_FOR) return 0;
  mutex_head mutex;
  struct iovec here = {&mutex, sizeof mutex}, there = {(void *)(uintptr_t)what->address, sizeof mutex};
  // It may be gone by now.
  if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != (ssize_t)sizeof mutex) return 0;
  if (mutex.word != WAITED_FOR || mutex.owner <= 0 || mutex.owner > MOST_THREADS || mutex.kind & ~PLAIN_KINDS) return 0;
  return syscall(SYS_tgkill, getpid(), mutex.owner, 0) != 0 && errno == ESRCH;
}
#else
static int is_mutex_of_nobody(const awaited *what) {
  (void)what;
  return 0;
}
#endif

static uint64_t processor_time(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

typedef struct {
  int serving;
  int may_go_on;
  uint64_t all;   // who waits for what, in a number
  uint64_t lost;  // the same of those that wait for what nobody has
} threads_seen;

static void see_thread(long thread, void *context) {
  threads_seen *seen = context;
  if (thread == getpid() || thread == seen->serving) return;
  awaited what = awaited_by(thread);
  uint64_t mark = what.address * 31 + (uint64_t)thread;
  if (is_mutex_of_nobody(&what)) seen->lost += mark;
  if (what.is_futex) seen->all += mark;
  else seen->may_go_on = 1;
}

// 0: somebody may go on.
static uint64_t standstill(int serving) {
  threads_seen seen = {.serving = serving};
  millrace_each_entry("/proc/self/task", see_thread, &seen);
  return seen.lost ? seen.lost : seen.may_go_on ? 0 : seen.all;
}

int millrace_is_stuck(millrace_stuck *before, int serving) {
  uint64_t time = processor_time();
  int is_idle = time - before->processor_time < IDLE_NS;
  before->processor_time = time;
  uint64_t found = is_idle ? standstill(serving) : 0;
  int is_stuck = found && found == before->found;
  before->found = found;
  return is_stuck;
}
#endif
