// Process trees through /proc. Everything here works without allocation and locks: it also runs in crash handlers, in
// forked children and in the fork server.
#ifdef __linux__
#define _GNU_SOURCE
#include "launch_internal.h"
#include "millrace_tree.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "millrace_descriptor.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
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
enum { BATCH = 512, ROUNDS = 64, DEATH_TIMEOUT_MS = 100, LONGEST_S = 2 };

struct batch {
  struct process list[BATCH];
  size_t count;
  const pid_t *except;
  size_t except_count;
  int with_ended;  // those that have ended and were not reaped, too
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
  char state = 0;
  pid_t parent;
  int error = read_stat(pid, &state, &parent, &process.start) != 0 || state == 'X' ? ESRCH : 0;
  if (state == 'Z' && !batch->with_ended) error = ESRCH;
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

void millrace_each_entry(const char *path, void (*visit)(long number, void *context), void *context) {
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
    millrace_each_entry("/proc", visit_process, &search);
    return;
  }
  char path[64];
  append(append_number(append(path, "/proc/"), parent), "/task");
  millrace_each_entry(path, visit_thread, &search);
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
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int round = 0; round < ROUNDS; round++) {
    // Who is in the kernel's hands is not waited for: it goes when the kernel lets go of it.
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - start.tv_sec > LONGEST_S) break;
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
      int has_ended = poll(&ended, 1, DEATH_TIMEOUT_MS) == 1;
      close(pidfd);
      if (!has_ended) break;
    }
  }
  errno = saved;
}

// Whether somebody else has stopped the process.
static int is_stopped(pid_t pid) {
  char state;
  pid_t parent;
  uint64_t start;
  return read_stat(pid, &state, &parent, &start) == 0 && state == 'T';
}

long millrace_tree_terminate(pid_t root, int pidfd, millrace_held *held, size_t capacity) {
  // 1. The root starts nothing from here on. Two lists that agree: what it was about to start is in the second.
  int was_stopped = is_stopped(root);
  int error = millrace_pidfd_signal(pidfd, SIGSTOP);
  if (error) return error == ESRCH ? 0 : -error;
  struct batch batch = {0};
  size_t before = 0;
  for (int round = 0; round < 8; round++) {
    find_descendants(&batch, root);
    if (round > 0 && batch.count == before) break;
    before = batch.count;
  }
  // 2. They hear of it first, then the root, which may die of it before they do.
  size_t count = 0;
  for (size_t i = 0; i < batch.count; i++) {
    int child = open_same(&batch.list[i]);
    if (child < 0) continue;
    millrace_pidfd_signal(child, SIGTERM);
    if (count < capacity) held[count++] = (millrace_held){batch.list[i].pid, child};
    else close(child);
  }
  millrace_pidfd_signal(pidfd, SIGTERM);
  if (!was_stopped) millrace_pidfd_signal(pidfd, SIGCONT);
  return (long)count;
}

int millrace_tree_kill(pid_t root, int pidfd, int is_own_child) {
  // 1. The root stops first: from here on it starts nothing, and keeps its number.
  int stopped = millrace_pidfd_signal(pidfd, SIGSTOP);
  if (stopped == 0) millrace_descendants_kill(root, NULL, 0);
  // 2. The group, for those whose parents have died before us. Of a root that was reaped the number may be somebody else's.
  if (is_own_child && stopped == ESRCH) millrace_group_kill(root);
  else if (is_own_child) kill(-root, SIGKILL);
  // 3. The root itself.
  int error = millrace_pidfd_signal(pidfd, SIGKILL);
  return error == ESRCH ? 0 : error;
}

static int adopts_orphans(void) {
  int is_reaper = 0;
  return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &is_reaper) == 0 && is_reaper);
}

// Of a process that was killed: waits for its end and reaps it, if it is our child.
static void reap_killed(int pidfd) {
  struct pollfd ended = {pidfd, POLLIN, 0};
  siginfo_t info;
  if (poll(&ended, 1, DEATH_TIMEOUT_MS) == 1) waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
}

void millrace_held_end(millrace_held held) {
  millrace_tree_kill(held.pid, held.pidfd, 0);
  reap_killed(held.pidfd);
  close(held.pidfd);
}

struct group {
  pid_t id;
  pid_t session;
  int has_leader;
  int kills;  // or else only looks
};

static void visit_member(long pid, void *context) {
  struct group *group = context;
  struct process process = {.pid = (pid_t)pid};
  char state;
  pid_t parent;
  if (process.pid == group->id) group->has_leader = 1;
  if (group->has_leader || getpgid(process.pid) != group->id || getsid(process.pid) != group->session) return;
  if (read_stat(process.pid, &state, &parent, &process.start) != 0 || getpgid(process.pid) != group->id) return;
  if (group->kills) signal_same(&process, SIGKILL);
}

void millrace_group_kill(pid_t id) {
  struct group group = {.id = id, .session = getsid(0)};
  // As long as the group has members, nobody gets its number. If somebody has it, our group had none.
  millrace_each_entry("/proc", visit_member, &group);
  if (group.has_leader) return;
  group.kills = 1;
  millrace_each_entry("/proc", visit_member, &group);
  if (adopts_orphans()) millrace_group_reap(id);
}

void millrace_group_reap(pid_t id) {
  if (!adopts_orphans()) return;
  // Whose parent dies only now comes to us only then.
  for (int round = 0; round < 8; round++) {
    struct batch batch = {.with_ended = 1};
    int reaped = 0;
    find_children(&batch, getpid());
    for (size_t i = 0; i < batch.count; i++) {
      pid_t pid = batch.list[i].pid;
      if (pid == id || getpgid(pid) != id) continue;
      int pidfd = open_same(&batch.list[i]);
      if (pidfd < 0) continue;
      reap_killed(pidfd);
      close(pidfd);
      reaped = 1;
    }
    if (!reaped) return;
  }
}

int millrace_orphans_reap(millrace_orphans *orphans) {
  millrace_orphans before = *orphans;
  orphans->count = 0;
  if (!has_children()) return 0;
  struct batch batch = {.with_ended = 1};
  struct search search = {&batch, getpid()};
  visit_thread(syscall(SYS_gettid), &search);
  for (size_t i = 0; i < batch.count; i++) {
    char state;
    pid_t parent, pid = batch.list[i].pid;
    uint64_t start;
    if (read_stat(pid, &state, &parent, &start) != 0 || state != 'Z') continue;
    size_t seen = 0;
    while (seen < before.count && before.pids[seen] != pid) seen++;
    siginfo_t info;
    if (seen < before.count) waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | __WNOTHREAD);
    else if (orphans->count < MILLRACE_ORPHANS) orphans->pids[orphans->count++] = pid;
  }
  return 1;
}
#endif
