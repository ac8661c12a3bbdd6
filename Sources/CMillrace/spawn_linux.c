// The program's one spawner thread, and what is done on it: forking the program, spawning workers, reaping them.
#ifdef __linux__
#define _GNU_SOURCE
#include "launch_internal.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "millrace_host.h"
#include "millrace_descriptor.h"
#include "millrace_tree.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { SPAWNER_STACK = 1024 * 1024 };  // fork handlers of whatever the program is made of run on it

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int is_running;
  void (*job)(void *);  // at most one; the next caller waits
  void *context;
  uint64_t submitted, finished;
} spawner = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

// In every child of a fork, also of one that is not ours: the thread does not exist there.
static void forget_spawner(void) {
  memset(&spawner, 0, sizeof spawner);
  pthread_mutex_init(&spawner.lock, NULL);
  pthread_cond_init(&spawner.changed, NULL);
}

static void *run_spawner(void *unused) {
  (void)unused;
  prctl(PR_SET_NAME, "millrace-spawn");
  millrace_affinity_of_program();  // what it starts has the same
  pthread_mutex_lock(&spawner.lock);
  for (;;) {
    while (!spawner.job) pthread_cond_wait(&spawner.changed, &spawner.lock);
    pthread_mutex_unlock(&spawner.lock);
    spawner.job(spawner.context);  // without the lock: a fork must not copy it locked
    pthread_mutex_lock(&spawner.lock);
    spawner.job = NULL;
    spawner.finished++;
    pthread_cond_broadcast(&spawner.changed);
  }
  return NULL;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, forget_spawner); }

static int start_spawner(void) {
  static pthread_once_t watches = PTHREAD_ONCE_INIT;
  pthread_once(&watches, watch_forks);
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, SPAWNER_STACK);
  sigset_t all, before;
  sigfillset(&all);  // the program's signals go to the program's threads,
  sigdelset(&all, SIGPROF);  // but by this one Swift's backtracer halts the other threads of a crash
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, &attributes, run_spawner, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  spawner.is_running = error == 0;
  return error;
}

int millrace_on_spawner(void (*job)(void *), void *context) {
  pthread_mutex_lock(&spawner.lock);
  int error = spawner.is_running ? 0 : start_spawner();
  if (error == 0) {
    while (spawner.job) pthread_cond_wait(&spawner.changed, &spawner.lock);
    spawner.job = job;
    spawner.context = context;
    uint64_t ticket = ++spawner.submitted;
    pthread_cond_broadcast(&spawner.changed);
    while (spawner.finished < ticket) pthread_cond_wait(&spawner.changed, &spawner.lock);
  }
  pthread_mutex_unlock(&spawner.lock);
  return error;
}

int millrace_fork_program(
    int control, int out, int err, void (*body)(void *, int), void *context, pid_t *pid, int *pidfd) {
  if (millrace_current_depth >= MILLRACE_DEPTH_LIMIT) return ELOOP;
  pid_t own = getpid();
  *pid = fork();
  if (*pid < 0) return errno;
  if (*pid == 0) {
    millrace_child child = {.control = control, .out = out, .err = err, .parent = own, .is_program_fork = 1};
    millrace_child_run(&child, body, context);
  }
  setpgid(*pid, *pid);
  *pidfd = millrace_pidfd_own(*pid);
  if (*pidfd >= 0) return 0;
  kill(*pid, SIGKILL);
  waitpid(*pid, NULL, 0);
  return -*pidfd;
}

// As <linux/pidfd.h> has it since Linux 6.15: how a process ended can be asked even after somebody has reaped it.
struct pidfd_info {
  uint64_t mask, cgroup;
  uint32_t pid, tgid, ppid, users[8];
  int32_t exit_code;
};

#define PIDFD_INFO_EXIT (1u << 3)
#define PIDFD_GET_INFO _IOWR(0xff, 11, struct pidfd_info)

// Somebody else has reaped the child.
static int reaped_by_others(pid_t pid, int pidfd, int *status, long *max_rss_kib) {
  millrace_group_kill(pid);
  struct pidfd_info info = {.mask = PIDFD_INFO_EXIT};
  *max_rss_kib = 0;
  if (ioctl(pidfd, PIDFD_GET_INFO, &info) != 0 || !(info.mask & PIDFD_INFO_EXIT)) return -ECHILD;
  *status = info.exit_code;
  return 1;
}

int millrace_pidfd_renewed(pid_t pid, int pidfd, uint64_t kind) {
  siginfo_t info = {0};
  // Its number may be that of another process's by now, which the newer kernels tell apart.
  if (millrace_fd_kind(pidfd) == kind) return -1;
  // Until it is reaped, nobody else gets its number.
  if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0) return -1;
  int renewed = millrace_pidfd_own(pid);
  return renewed < 0 ? -1 : renewed;
}

int millrace_reap(pid_t pid, int pidfd, int *status, long *max_rss_kib) {
  siginfo_t info = {0};
  struct rusage usage = {0};
  struct pollfd ended = {pidfd, POLLIN, 0};
  if (poll(&ended, 1, 0) != 1) return 0;
  while (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOWAIT | WNOHANG, NULL) != 0)
    if (errno == ECHILD) return reaped_by_others(pid, pidfd, status, max_rss_kib);
    else if (errno != EINTR) return -errno;
  if (info.si_pid == 0) return 0;
  // A zombie keeps its number, so this reaches exactly those of its group that have survived it.
  kill(-info.si_pid, SIGKILL);
  millrace_group_reap(info.si_pid);
  // The bare call, for the library's has no place for the usage. If somebody was quicker, the status is known: so not into `info`,
  // which the kernel empties then.
  while (syscall(SYS_waitid, P_PIDFD, pidfd, NULL, WEXITED | WNOHANG, &usage) != 0)
    if (errno != EINTR) break;
  *max_rss_kib = usage.ru_maxrss;
  // As wait(2) encodes it, so that there is one reading of it.
  if (info.si_code == CLD_EXITED) *status = (info.si_status & 0xff) << 8;
  else *status = (info.si_status & 0x7f) | (info.si_code == CLD_DUMPED ? 0x80 : 0);
  return 1;
}
#endif
