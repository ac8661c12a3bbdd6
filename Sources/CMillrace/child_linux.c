// What every worker process goes through before its first line of Swift, however it was made.
#ifdef __linux__
#define _GNU_SOURCE
#include "launch_internal.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include "millrace_descriptor.h"
#include "millrace_output.h"
#include "millrace_poller.h"
#include "millrace_ring.h"
#include "millrace_tree.h"

enum { BODY_STACK = 8 * 1024 * 1024 };

static void ignore_signal(int signal) { (void)signal; }

// Handlers that a forked program had are not for its workers; the crash handlers of Swift's backtracer are. None for
// SIGCHLD: the kernel brings that to the thread that has started the child, which is an item's, and a handler would
// interrupt whatever the item waits in.
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
  int null = millrace_fd_open("/dev/null", O_RDWR, 0);
  if (null < 0) millrace_fatal("cannot open /dev/null");
  dup2(null, STDIN_FILENO);
  if (child->out >= 0) dup2(child->out, STDOUT_FILENO);
  else if (fcntl(STDOUT_FILENO, F_GETFD) < 0) dup2(null, STDOUT_FILENO);
  if (child->err >= 0) dup2(child->err, STDERR_FILENO);
  else if (fcntl(STDERR_FILENO, F_GETFD) < 0) dup2(null, STDERR_FILENO);
  close(null);
}

// Large items and outputs come and go all the time, and fresh pages cost many times the work on them: what is freed is
// kept for the next. The C library comes to that by itself, but halfway, and forgets the rest each time.
static void set_up_memory(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, MILLRACE_KEPT_BLOCK);
  mallopt(M_TRIM_THRESHOLD, 2 * MILLRACE_KEPT_BLOCK);
#endif
}

static uint64_t error_kind;  // of the standard error that we were started with

int millrace_unread_bytes(int pipe) {
  int count;
  return ioctl(pipe, FIONREAD, &count) == 0 ? count : -1;
}

void millrace_worker_lost(const char *reason) {
  if (error_kind == 0 || millrace_fd_kind(STDERR_FILENO) == error_kind)
    dprintf(STDERR_FILENO, MILLRACE_LAST_WORDS "%s\n", reason);
  millrace_descendants_kill(getpid(), NULL, 0);
  _exit(MILLRACE_EXIT_LOST);
}

void millrace_worker_thread_ended(void) {
  if (error_kind == 0 || millrace_fd_kind(STDERR_FILENO) == error_kind)
    dprintf(STDERR_FILENO, "millrace: Fatal error: the item ended the thread that it ran on (pthread_exit)\n");
  millrace_descendants_kill(getpid(), NULL, 0);
  _exit(MILLRACE_EXIT_THREAD);
}

static void set_up(const millrace_child *child) {
  // 1. Bound to the parent's life, from the first moment.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != child->parent) _exit(70);
  setpgid(0, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "millrace-worker");
  // 2. Nothing of the parent's: output not yet flushed, signals, descriptors of ours; nobody holds a sibling's pipe open.
  // The user's descriptors stay: in a fork of the program, code may have their numbers.
  if (child->is_program_fork) {
    __fpurge(stdout);
    __fpurge(stderr);
    millrace_current_depth++;
  }
  set_up_signals();
  set_up_stdio(child);
  millrace_fd_close_inherited(child->control);
  millrace_fd_stand_high();
  error_kind = millrace_fd_kind(STDERR_FILENO);
  // 3. What only workers have.
  set_up_memory();
  millrace_crash_set_up(child->is_program_fork);
}

typedef struct {
  void (*run)(void *context, int control);
  void *context;
  int control;
  int thread;  // its number, when it runs
} child_body;

static void *run_body(void *argument) {
  child_body *body = argument;
  __atomic_store_n(&body->thread, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
  prctl(PR_SET_NAME, "millrace-serve");
  body->run(body->context, body->control);
  millrace_worker_exit(0);
}

// On a thread of its own, for the first one of a forked process has the thread number of the thread that forked in the
// Swift runtime's memory. The runtime's `once` hands that to the kernel (a futex with priority inheritance): when a
// second thread wants the same `once`, the kernel refuses both, and both try again for ever.
static void start_body(child_body *body) {
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, BODY_STACK);
  int error = pthread_create(&thread, &attributes, run_body, body);
  pthread_attr_destroy(&attributes);
  if (error) millrace_fatal("cannot start the worker's thread");
}

void millrace_child_run(const millrace_child *child, void (*run)(void *context, int control), void *context) {
  set_up(child);
  // An epoll that holds the control socket: unlike poll of itself, it lets the worker really close its end.
  int socket = millrace_fd_lift(child->control);
  int control = millrace_fd_lift(millrace_poller_create());
  int parent = millrace_fd_lift(millrace_pidfd_own(child->parent));
  if (socket < 0 || parent < 0 || control < 0 || millrace_poller_add_hang_up(control, socket, 0) != 0)
    millrace_fatal("cannot watch the parent");
  if (getppid() != child->parent) _exit(70);  // it died before its descriptor was opened: that may be a stranger's

  millrace_watch_set_up();
  child_body body = {.run = run, .context = context, .control = socket};
  start_body(&body);

  // This thread ends the worker and all that it started when the parent is gone. From here on the parent-death signal,
  // which would orphan what the worker started, only makes sure that a stopped worker runs.
  prctl(PR_SET_PDEATHSIG, SIGCONT);
  sigset_t others;
  sigfillset(&others);
  sigdelset(&others, SIGPROF);  // by which Swift's backtracer halts the other threads of a crash
  // Where nobody handles it, it vanishes. Blocked here, it would be kept, and come to an item's thread.
  sigdelset(&others, SIGCHLD);
  pthread_sigmask(SIG_SETMASK, &others, NULL);
  int ends[2] = {control, parent};
  millrace_watch(ends, child->is_program_fork, &body.thread);
  millrace_descendants_kill(getpid(), NULL, 0);
  kill(getpid(), SIGKILL);
  _exit(70);
}

static void run_entry(void *unused, int control) {
  (void)unused;
  millrace_worker_entry(control);
}

void millrace_child_serve(const millrace_child *child) {
  if (!millrace_worker_entry) millrace_fatal("this executable has no worker entry");
  millrace_child_run(child, run_entry, NULL);
}
#endif
