// Process trees through /proc. Everything here works without allocation and locks: it also runs in crash handlers, in
// forked children and in the fork server.
#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_tree.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "millrace_descriptor.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

// A process number means the same process only as long as the start time is the same.
struct process {
  pid_t pid;
  uint64_t start;
};

// Bounded, for it lies on signal stacks; larger trees take several rounds.
enum { BATCH = 512, ROUNDS = 64, DEATH_TIMEOUT_MS = 100 };

struct batch {
  struct process list[BATCH];
  size_t count;
  const pid_t *except;
  size_t except_count;
  int stops;       // SIGSTOP each as it is found, before its own children are read
  uint64_t ended;  // which processes were listed as children but had ended when they were looked at
};

int millrace_pidfd_open(pid_t pid) {
  return millrace_fd_raise((int)syscall(SYS_pidfd_open, pid, 0));
}

int millrace_pidfd_signal(int pidfd, int signal) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0 ? 0 : errno;
}

static char *append(char *at, const char *text) {
  while (*text) *at++ = *text++;
  *at = 0;
  return at;
}

static char *append_number(char *at, long number) {
  char digits[24];
  int n = 0;
  do digits[n++] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  while (n > 0) *at++ = digits[--n];
  *at = 0;
  return at;
}

// Fields of /proc/<pid>/stat. Returns 0 if there is such a process.
static int read_stat(pid_t pid, char *state, pid_t *parent, uint64_t *start) {
  char path[64], text[1024];
  append(append_number(append(path, "/proc/"), pid), "/stat");
  int fd = millrace_fd_open(path, O_RDONLY, 0);
  if (fd < 0) return -1;
  ssize_t count = read(fd, text, sizeof text - 1);
  close(fd);
  if (count <= 0) return -1;
  text[count] = 0;
  char *field = strrchr(text, ')');  // the name may contain anything
  if (!field || field[1] == 0) return -1;
  field += 2;
  *state = *field;  // field 3
  for (int number = 3; number < 22; number++) {
    field = strchr(field, ' ');
    if (!field) return -1;
    field++;
    if (number + 1 == 4) *parent = (pid_t)strtol(field, NULL, 10);
  }
  *start = strtoull(field, NULL, 10);
  return 0;
}

// Opens the process only if it is still the one that we saw; or -1.
static int open_same(const struct process *process) {
  int pidfd = millrace_pidfd_open(process->pid);
  if (pidfd < 0) return -1;
  char state;
  pid_t parent;
  uint64_t start;
  // Read after opening: a match now means that it was the same all the time.
  if (read_stat(process->pid, &state, &parent, &start) == 0 && start == process->start) return pidfd;
  close(pidfd);
  return -1;
}

static int signal_same(const struct process *process, int signal) {
  int pidfd = open_same(process);
  if (pidfd < 0) return ESRCH;
  int error = millrace_pidfd_signal(pidfd, signal);
  close(pidfd);
  return error;
}

static void found(struct batch *batch, pid_t pid) {
  for (size_t i = 0; i < batch->except_count; i++)
    if (batch->except[i] == pid) return;
  for (size_t i = 0; i < batch->count; i++)
    if (batch->list[i].pid == pid) return;
  if (batch->count == BATCH) return;
  struct process process = {.pid = pid};
  char state;
  pid_t parent;
  int error = read_stat(pid, &state, &parent, &process.start) != 0 || state == 'Z' || state == 'X' ? ESRCH : 0;
  if (!error && batch->stops) error = signal_same(&process, SIGSTOP);
  if (error == ESRCH) batch->ended = batch->ended * 31 + (uint64_t)pid;
  if (error) return;  // or not ours to signal
  batch->list[batch->count++] = process;
}

// Calls for each number in a list of them, however long.
static void each_number(int fd, struct batch *batch) {
  char text[4096];
  long number = -1;
  ssize_t count;
  while ((count = read(fd, text, sizeof text)) > 0)
    for (ssize_t i = 0; i < count; i++) {
      if (text[i] >= '0' && text[i] <= '9') number = (number < 0 ? 0 : number) * 10 + (text[i] - '0');
      else if (number >= 0) found(batch, (pid_t)number), number = -1;
    }
  if (number >= 0) found(batch, (pid_t)number);
}

struct entry {  // linux_dirent64
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

// Calls `visit` with each number that names an entry of a directory (opendir would allocate).
static void each_entry(const char *path, void (*visit)(long number, void *context), void *context) {
  int fd = millrace_fd_open(path, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) return;
  char room[4096] __attribute__((aligned(8)));
  long count;
  while ((count = syscall(SYS_getdents64, fd, room, sizeof room)) > 0)
    for (long at = 0; at < count;) {
      struct entry *entry = (struct entry *)(room + at);
      if (entry->name[0] >= '0' && entry->name[0] <= '9') visit(strtol(entry->name, NULL, 10), context);
      at += entry->length;
    }
  close(fd);
}

struct search {
  struct batch *batch;
  pid_t parent;
};

static void visit_thread(long thread, void *context) {
  struct search *search = context;
  char path[96];
  append(
      append_number(append(append_number(append(path, "/proc/"), search->parent), "/task/"), thread), "/children");
  int fd = millrace_fd_open(path, O_RDONLY, 0);
  if (fd < 0) return;
  each_number(fd, search->batch);
  close(fd);
}

static void visit_process(long pid, void *context) {
  struct search *search = context;
  char state;
  pid_t parent;
  uint64_t start;
  if (read_stat((pid_t)pid, &state, &parent, &start) == 0 && parent == search->parent) found(search->batch, (pid_t)pid);
}

static void find_children(struct batch *batch, pid_t parent) {
  struct search search = {batch, parent};
  // Kernels without CONFIG_PROC_CHILDREN, and gVisor: look at everybody's parent instead.
  if (access("/proc/thread-self/children", R_OK) != 0) {
    each_entry("/proc", visit_process, &search);
    return;
  }
  char path[64];
  append(append_number(append(path, "/proc/"), parent), "/task");
  each_entry(path, visit_thread, &search);
}

static void find_descendants(struct batch *batch, pid_t ancestor) {
  batch->count = 0;
  batch->ended = 0;
  find_children(batch, ancestor);
  for (size_t i = 0; i < batch->count; i++) find_children(batch, batch->list[i].pid);
}

static int has_children(void) {
  siginfo_t info;
  // __WALL: whatever signal they end with. WNOWAIT: they stay as they are.
  return waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

void millrace_descendants_kill(pid_t ancestor, const pid_t *except, size_t except_count) {
  int saved = errno;
  // The usual case, and it must not look at /proc: a process that has is slow to be reaped. While the kernel takes what
  // was seen of it out of its cache, it spins, for as long as a thread of that process that does the same is not run.
  // We adopt our orphans, so without children there are no descendants.
  if (ancestor == getpid() && !has_children()) {
    errno = saved;
    return;
  }
  struct batch batch = {.except = except, .except_count = except_count, .stops = 1};
  for (int round = 0; round < ROUNDS; round++) {
    // Who ended after the list was read has left it children that the list does not have. So it takes two lists that
    // agree on who has ended, the second without anybody else.
    uint64_t ended = batch.ended;
    find_descendants(&batch, ancestor);
    if (batch.count == 0 && batch.ended == ended) break;
    for (size_t i = 0; i < batch.count; i++) signal_same(&batch.list[i], SIGKILL);
    for (size_t i = 0; i < batch.count; i++) {
      int pidfd = open_same(&batch.list[i]);
      if (pidfd < 0) continue;
      struct pollfd ended = {pidfd, POLLIN, 0};
      poll(&ended, 1, DEATH_TIMEOUT_MS);
      close(pidfd);
    }
  }
  errno = saved;
}

void millrace_tree_signal(pid_t root, int pidfd, int signal) {
  struct batch batch = {0};
  if (millrace_pidfd_signal(pidfd, 0) != 0) return;
  find_descendants(&batch, root);
  for (size_t i = 0; i < batch.count; i++) signal_same(&batch.list[i], signal);
  millrace_pidfd_signal(pidfd, signal);
}

void millrace_tree_kill(pid_t root, int pidfd, int is_own_child) {
  // 1. The root stops first: from here on it starts nothing, and keeps its number.
  if (millrace_pidfd_signal(pidfd, SIGSTOP) == 0) millrace_descendants_kill(root, NULL, 0);
  // 2. The group, for those whose parents have died before us.
  if (is_own_child) kill(-root, SIGKILL);
  // 3. The root itself.
  millrace_pidfd_signal(pidfd, SIGKILL);
}
#endif
