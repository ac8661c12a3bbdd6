#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_program.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "millrace_descriptor.h"

int millrace_leader_spawn(const char *program, char *const argv[], char *const envp[], const char *folder,
                          const int standard[3], const sigset_t *mask, const sigset_t *defaults, pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int failure = posix_spawn_file_actions_init(&actions);
  if (failure != 0) return failure;
  failure = posix_spawnattr_init(&attributes);
  if (failure != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return failure;
  }
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, mask);
  posix_spawnattr_setsigdefault(&attributes, defaults);
  // Ours are all above 2 or are the standard ones themselves, so none is overwritten before it is copied.
  for (int number = 0; number < 3 && failure == 0; number++)
    failure = posix_spawn_file_actions_adddup2(&actions, standard[number], number);
  if (failure == 0 && folder) failure = posix_spawn_file_actions_addchdir_np(&actions, folder);
  if (failure == 0) failure = posix_spawnp(pid, program, &actions, &attributes, argv, envp);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return failure;
}

struct start_of_program {
  const char *program;
  char *const *argv;
  char *const *envp;
  const char *folder;
  int standard[3];
};

// Between vfork and exec: system calls only.
static void become(const struct start_of_program *start, pid_t parent) {
  setpgid(0, 0);
  for (int number = 0; number < 3; number++)
    if (dup2(start->standard[number], number) < 0) return;
  if (start->folder && chdir(start->folder) != 0) return;
  // When the thread that starts it ends, which is when nobody waits for the program any more, or with this process.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  // No handler may run here; what is ignored stays so, but for SIGPIPE, which is ours.
  struct sigaction found, standard = {.sa_handler = SIG_DFL};
  for (int signal = 1; signal < NSIG; signal++)
    if (sigaction(signal, NULL, &found) == 0 && (signal == SIGPIPE || found.sa_handler != SIG_IGN))
      sigaction(signal, &standard, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execvpe(start->program, start->argv, start->envp);
}

// As posix_spawn does it, which cannot bind the program to our life.
static int start_tethered(const struct start_of_program *start, pid_t *pid) {
  volatile int error = 0;
  pid_t own = getpid();
  sigset_t all, before;
  sigfillset(&all);  // no handler of this process's may run in the child
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t child = vfork();
  if (child == 0) {
    become(start, own);
    error = errno;
    _exit(127);
  }
  if (child < 0) error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (child > 0 && error)
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
  *pid = child;
  return error;
}

int millrace_program_spawn(const char *program, char *const argv[], char *const envp[], const char *folder, int input,
                           int output, int error, pid_t *pid, int *pidfd) {
  const struct start_of_program start = {program, argv, envp, folder, {input, output, error}};
  int failure = start_tethered(&start, pid);
  if (failure != 0) return failure;
  *pidfd = millrace_pidfd_own(*pid);
  if (*pidfd >= 0) return 0;
  failure = -*pidfd;
  kill(-*pid, SIGKILL);
  while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {}
  return failure;
}
#endif
