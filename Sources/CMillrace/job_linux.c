#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_job.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "millrace_descriptor.h"
#include "millrace_program.h"

static sigset_t original_mask;
static sigset_t stop_signals;
static sigset_t restored_signals;

void millrace_job_prepare_signals(void) {
  static const int candidates[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
  struct sigaction found;
  sigemptyset(&stop_signals);
  sigemptyset(&restored_signals);
  // A signal that we were started to ignore (nohup, a background list of a script) stays ignored, here and in the jobs.
  for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++)
    if (sigaction(candidates[i], NULL, &found) == 0 && found.sa_handler != SIG_IGN) sigaddset(&stop_signals, candidates[i]);
  int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (terminal >= 0) {
    close(terminal);
    sigaddset(&stop_signals, SIGCHLD);
  }
  pthread_sigmask(SIG_BLOCK, &stop_signals, &original_mask);
  if (sigaction(SIGPIPE, NULL, &found) == 0 && found.sa_handler != SIG_IGN) sigaddset(&restored_signals, SIGPIPE);
  signal(SIGPIPE, SIG_IGN);
}

int millrace_job_wait_signal(int64_t nanoseconds) {
  struct timespec time = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  for (;;) {
    int number = sigtimedwait(&stop_signals, NULL, nanoseconds < 0 ? NULL : &time);
    if (number > 0) return number;
    // Being stopped and continued interrupts it; the time then begins again, which is not counted on.
    if (errno == EAGAIN) return 0;
  }
}

void millrace_job_suspend(void) {
  sigset_t suspending, before;
  sigemptyset(&suspending);
  sigaddset(&suspending, SIGTSTP);
  // Sent to this thread alone while it is blocked, it does its work in the moment in which it is let through.
  pthread_kill(pthread_self(), SIGTSTP);
  pthread_sigmask(SIG_UNBLOCK, &suspending, &before);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int millrace_job_stopped(pid_t *pid, int *signal) {
  siginfo_t info = {.si_pid = 0};
  if (waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG) != 0 || info.si_pid == 0) return 0;
  *pid = info.si_pid;
  *signal = info.si_status;
  return 1;
}

int millrace_job_spawn(const char *program, char *const argv[], char *const envp[], int input, int output, int error,
                       pid_t *pid) {
  return millrace_leader_spawn(program, argv, envp, NULL, (int[]){input, output, error}, &original_mask, &restored_signals,
                               pid);
}

int millrace_job_reap(int pidfd, int *value) {
  siginfo_t info;
  int result;
  do result = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
  while (result != 0 && errno == EINTR);
  if (result != 0) return -1;
  *value = info.si_status;
  return info.si_code == CLD_EXITED ? 0 : 1;
}

int millrace_unlinked_file(const char *directory) {
  int descriptor = millrace_fd_open(directory, O_TMPFILE | O_RDWR, 0600);
  if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return descriptor;
  // A file system without O_TMPFILE: the name lives for the moment between the two calls.
  char *name = NULL;
  if (asprintf(&name, "%s/millrace-XXXXXX", directory) < 0) return -1;
  descriptor = mkostemp(name, O_CLOEXEC);
  if (descriptor >= 0) unlink(name);
  free(name);
  if (descriptor < 0) return -1;
  descriptor = millrace_fd_raise(descriptor);
  if (descriptor >= 0) return descriptor;
  errno = -descriptor;
  return -1;
}

int millrace_punch_hole(int descriptor, off_t offset, off_t length) {
  return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}
#endif
