// What every worker process goes through before its first line of Swift, however it was made.
#ifdef __linux__
#define _GNU_SOURCE
#include "launch_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include "millrace_tree.h"

enum {
  WATCHER_STACK = 256 * 1024,
  KEPT_BLOCK = 32 * 1024 * 1024,  // as far as the C library goes by itself, and no more is allowed
};

static void ignore_signal(int signal) { (void)signal; }

// Handlers that a forked program had are not for its workers; the crash handlers of Swift's backtracer are.
static void set_up_signals(void) {
  struct sigaction standard = {.sa_handler = SIG_DFL};
  struct sigaction ignored = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART};
  for (int signal = 1; signal < NSIG; signal++) {
    switch (signal) {
      case SIGILL: case SIGTRAP: case SIGABRT: case SIGBUS: case SIGFPE: case SIGSEGV: case SIGQUIT:
      case SIGKILL: case SIGSTOP:
        break;
      // Ctrl-C and hang-ups belong to the parent. The kernel hangs up on a group that loses its last tie to its session
      // while one of it is stopped, as when a killed parent's worker has just begun to kill its own: dying of that
      // would leave them behind. A handler that does nothing, not SIG_IGN: what the worker starts gets the default.
      case SIGINT: case SIGHUP: case SIGPIPE:
        sigaction(signal, &ignored, NULL);
        break;
      default:
        sigaction(signal, &standard, NULL);
    }
  }
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void set_up_stdio(const millrace_child *child) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) millrace_fatal("cannot open /dev/null");
  dup2(null, STDIN_FILENO);
  if (child->out >= 0) dup2(child->out, STDOUT_FILENO);
  else if (fcntl(STDOUT_FILENO, F_GETFD) < 0) dup2(null, STDOUT_FILENO);
  if (child->err >= 0) dup2(child->err, STDERR_FILENO);
  else if (fcntl(STDERR_FILENO, F_GETFD) < 0) dup2(null, STDERR_FILENO);
  if (null > STDERR_FILENO) close(null);
}

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

// Closes all but 0...2, the control socket and what is to be kept: nobody holds a sibling's pipe open.
static void close_the_rest(const millrace_child *child) {
  size_t count = 0;
  int kept[child->keep_count + 1];
  kept[count++] = child->control;
  for (size_t i = 0; i < child->keep_count; i++) kept[count++] = child->keep[i];
  qsort(kept, count, sizeof *kept, compare);
  unsigned from = STDERR_FILENO + 1;
  for (size_t i = 0; i < count; i++) {
    if (kept[i] < (int)from) continue;
    if (kept[i] > (int)from) syscall(SYS_close_range, from, (unsigned)kept[i] - 1, 0);
    from = (unsigned)kept[i] + 1;
  }
  syscall(SYS_close_range, from, ~0u, 0);
}

// The watcher: a thread that ends the worker and all that it started when the parent is gone.

static struct {
  int control;  // an epoll that holds the control socket: unlike poll, it lets the worker really close its end
  int parent;   // a pidfd
} watched;

static void *watch_parent(void *unused) {
  (void)unused;
  prctl(PR_SET_NAME, "millrace-watch");
  struct pollfd ends[2] = {{watched.control, POLLIN, 0}, {watched.parent, POLLIN, 0}};
  while (poll(ends, 2, -1) < 0 && errno == EINTR) {}
  millrace_descendants_kill(getpid(), NULL, 0);
  kill(getpid(), SIGKILL);
  return NULL;
}

static void start_watcher(const millrace_child *child) {
  watched.parent = millrace_pidfd_open(child->parent);
  watched.control = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event hang_up = {.events = EPOLLRDHUP};
  if (watched.parent < 0 || watched.control < 0 ||
      epoll_ctl(watched.control, EPOLL_CTL_ADD, child->control, &hang_up) != 0)
    millrace_fatal("cannot watch the parent");
  if (getppid() != child->parent) _exit(70);  // it died before its descriptor was opened: that may be a stranger's

  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, WATCHER_STACK);
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, SIGPROF);  // by which Swift's backtracer halts the other threads of a crash
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, &attributes, watch_parent, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (error) millrace_fatal("cannot start the watcher thread");
  // From here on the watcher does it, and takes the worker's own processes along, which SIGKILL would orphan. The
  // signal only makes sure that a stopped worker runs.
  prctl(PR_SET_PDEATHSIG, SIGCONT);
}

// Large items and outputs come and go all the time, and fresh pages cost many times the work on them: what is freed is
// kept for the next. The C library comes to that by itself, but halfway, and forgets the rest each time.
static void set_up_memory(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK);
  mallopt(M_TRIM_THRESHOLD, 2 * KEPT_BLOCK);
#endif
}

void millrace_child_set_up(const millrace_child *child) {
  // 1. Bound to the parent's life, from the first moment.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != child->parent) _exit(70);
  setpgid(0, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "millrace-worker");
  // 2. Nothing of the parent's: output not yet flushed, signals, descriptors.
  if (child->is_program_fork) {
    __fpurge(stdout);
    __fpurge(stderr);
    millrace_current_depth++;
  }
  set_up_signals();
  set_up_stdio(child);
  close_the_rest(child);
  // 3. What only workers have.
  set_up_memory();
  millrace_crash_set_up(child->is_program_fork);
  start_watcher(child);
}
#endif
