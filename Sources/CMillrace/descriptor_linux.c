#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_descriptor.h"
#include <sys/inotify.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "millrace_shared.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum {
  BITS = 64,
  WORDS = 1 << 14,       // numbers below 1,048,576, which is the kernel's own limit where nobody has raised it
  HIGHEST_LIMIT = 4096,  // a table of descriptors is as large as its highest number, and copied at each fork
  ROOM = 64,             // how many of ours have a place of their own below the limit
};

// Which descriptors are ours, a bit each. Written under the lock; a child of a fork reads it as it was at that moment.
static uint64_t owned[WORDS];
// What each of them was when it became ours. Code of the program's may close one, and have its number for another.
static uint64_t kinds[WORDS * BITS];
// Those of them that forked workers keep: of memory that they have in common with the program.
static uint64_t in_forks[WORDS];
static int words_in_use;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int lowest = 3;  // in a worker: the first number of our own places

static void lock_for_fork(void) { pthread_mutex_lock(&lock); }
static void unlock_after_fork(void) { pthread_mutex_unlock(&lock); }
static void renew_in_child(void) { pthread_mutex_init(&lock, NULL); }

__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(lock_for_fork, unlock_after_fork, renew_in_child);
}

static int stands_in[3];

// What stands in refuses what the number is for, as the missing one would.
static int stand_in_mode(int number) { return number == STDIN_FILENO ? O_WRONLY : O_RDONLY; }

// The kernel gives what is made the lowest number that is free, and whoever prints or reads at that moment would do so in it.
static void stand_in_for_missing(void) {
  for (int number = 0; number < 3; number++) {
    stands_in[number] = 0;
    if (fcntl(number, F_GETFD) >= 0) continue;
    int fd = open("/dev/null", stand_in_mode(number) | O_CLOEXEC);
    stands_in[number] = fd == number;
    if (fd >= 0 && fd != number) close(fd);
  }
}

static void step_back(void) {
  for (int number = 0; number < 3; number++) {
    if (!stands_in[number]) continue;
    // Somebody may have put something of their own in its place: that stays.
    struct stat status;
    int is_it = (fcntl(number, F_GETFL) & O_ACCMODE) == stand_in_mode(number) && fstat(number, &status) == 0 &&
        S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
    if (is_it) close(number);
  }
}

void millrace_fd_lock(void) {
  pthread_mutex_lock(&lock);
  stand_in_for_missing();
}

void millrace_fd_unlock(void) {
  int error = errno;
  step_back();
  pthread_mutex_unlock(&lock);
  errno = error;
}

static void note(int fd, int is_ours) {
  int word = fd / BITS;
  if (fd < 0 || word >= WORDS) return;
  uint64_t bit = 1ull << fd % BITS;
  in_forks[word] &= ~bit;
  if (!is_ours) {
    owned[word] &= ~bit;
    return;
  }
  owned[word] |= bit;
  kinds[fd] = millrace_fd_kind(fd);
  if (word >= words_in_use) words_in_use = word + 1;
}

static int is_owned(int fd) { return fd / BITS < WORDS && owned[fd / BITS] & 1ull << fd % BITS; }

static void disown(int fd) {
  note(fd, 0);
  close(fd);
}

// As high as can be: where there is no place left above, below.
static int copy_upwards(int fd, int from) {
  for (;; from = from / 2 > 3 ? from / 2 : 3) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, from);
    if (copy >= 0 || from == 3 || (errno != EMFILE && errno != EINVAL)) return copy;
  }
}

int millrace_fd_own(int fd) {
  if (fd < 0) return -1;
  if (fd < lowest) {
    int copy = copy_upwards(fd, lowest);
    // Where no higher number is free, this one has to do, if it is not a standard one.
    if (copy >= 0 || fd < 3) {
      int error = errno;
      disown(fd);
      errno = error;
      if (copy < 0) return -1;
      fd = copy;
    }
  }
  note(fd, 1);
  return fd;
}

int millrace_fd_own_pair(int fds[2]) {
  int first = millrace_fd_own(fds[0]);
  int error = errno;
  if (first < 0) {
    close(fds[1]);
    return error;
  }
  int second = millrace_fd_own(fds[1]);
  error = errno;
  if (second < 0) {
    disown(first);
    return error;
  }
  fds[0] = first;
  fds[1] = second;
  return 0;
}

int millrace_fd_copy(int fd) {
  millrace_fd_lock();
  int copy = millrace_fd_own(fcntl(fd, F_DUPFD_CLOEXEC, lowest));
  millrace_fd_unlock();
  return copy;
}

int millrace_pidfd_own(pid_t pid) {
  millrace_fd_lock();
  int fd = millrace_fd_own((int)syscall(SYS_pidfd_open, pid, 0));
  int error = errno;
  millrace_fd_unlock();
  return fd < 0 ? -error : fd;
}

void millrace_fd_close(int fd) {
  if (fd < 0) return;
  pthread_mutex_lock(&lock);
  // Others may have closed it, and have its number for something else.
  if (is_owned(fd) && kinds[fd] != millrace_fd_kind(fd)) note(fd, 0);
  else disown(fd);
  pthread_mutex_unlock(&lock);
}

void millrace_fd_keep(int fd) {
  if (fd < 0 || fd / BITS >= WORDS) return;
  pthread_mutex_lock(&lock);
  in_forks[fd / BITS] |= owned[fd / BITS] & 1ull << fd % BITS;
  pthread_mutex_unlock(&lock);
}

int millrace_fd_raise(int fd) {
  if (fd > 2) return fd;
  if (fd < 0) return -errno;
  int raised = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  int error = errno;
  close(fd);
  return raised < 0 ? -error : raised;
}

int millrace_fd_open(const char *path, int flags, unsigned mode) {
  int fd = open(path, flags | O_CLOEXEC, (mode_t)mode);
  if (fd < 0) return -1;
  fd = millrace_fd_raise(fd);
  if (fd >= 0) return fd;
  errno = -fd;
  return -1;
}

int millrace_fd_open_own(const char *path, int flags, unsigned mode) {
  // Not opened under the lock: it may wait.
  int fd = millrace_fd_open(path, flags, mode);
  millrace_fd_lock();
  fd = millrace_fd_own(fd);
  millrace_fd_unlock();
  return fd;
}

int millrace_watch_own(void) {
  millrace_fd_lock();
  int fd = millrace_fd_own(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  millrace_fd_unlock();
  return fd;
}

void millrace_fd_close_inherited(int kept) {
  for (int word = 0; word < words_in_use; word++) {
    for (uint64_t rest = owned[word] & ~in_forks[word]; rest; rest &= rest - 1) {
      int fd = word * BITS + __builtin_ctzll(rest);
      if (fd != kept && millrace_fd_kind(fd) == kinds[fd]) close(fd);
    }
    owned[word] = in_forks[word];
  }
  note(kept, 1);
}

void millrace_fd_stand_high(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  int end = limit.rlim_cur < HIGHEST_LIMIT ? (int)limit.rlim_cur : HIGHEST_LIMIT;
  lowest = end - (end >= 4 * ROOM ? ROOM : end / 4);
  if (lowest < 3) lowest = 3;
}

// Above the soft limit, which is changed for that moment; or -1.
static int copy_above_limit(int fd) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > HIGHEST_LIMIT) return -1;
  struct rlimit raised = {limit.rlim_cur + ROOM, limit.rlim_max};
  if (raised.rlim_cur > limit.rlim_max || setrlimit(RLIMIT_NOFILE, &raised) != 0) return -1;
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, (int)limit.rlim_cur);
  setrlimit(RLIMIT_NOFILE, &limit);
  return copy;
}

int millrace_fd_lift(int fd) {
  if (fd < 0) return -1;
  millrace_fd_lock();
  int copy = copy_above_limit(fd);
  if (copy >= 0) disown(fd);
  copy = millrace_fd_own(copy >= 0 ? copy : fd);
  millrace_fd_unlock();
  return copy;
}

int millrace_fd_is_last(void) {
  int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return errno == EMFILE;  // EBADF: there is this one to be had
  close(copy);
  return 0;
}

void millrace_fd_close_own(int fd, uint64_t kind) {
  if (fd < 0 || kind == 0) return;
  pthread_mutex_lock(&lock);
  if (millrace_fd_kind(fd) == kind) disown(fd);
  else if (is_owned(fd) && kinds[fd] == kind) note(fd, 0);
  pthread_mutex_unlock(&lock);
}

int millrace_fd_are_few(int fd) {
  struct rlimit limit;
  pthread_mutex_lock(&lock);
  int lowest_free = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (lowest_free >= 0) close(lowest_free);
  pthread_mutex_unlock(&lock);
  if (lowest_free < 0) return 1;
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)lowest_free > limit.rlim_cur / 2;
}

uint64_t millrace_fd_kind(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return 0;
  // Event descriptors and the like share one inode, which no file, socket or pipe has.
  uint64_t kind = (uint64_t)status.st_ino * 31 + (uint64_t)status.st_dev;
  return kind ? kind : 1;
}
#endif
