#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_program.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "millrace_descriptor.h"

int millrace_bound_spawn(const char *program, char *const argv[], char *const envp[], const char *folder,
                         const int standard[3], pid_t *pid) {
  sigset_t all, before;
  // The child has the memory of this thread, which waits until it is another program: here it says why it is not.
  volatile int failure = 0;
  pid_t parent = getpid();
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t child = vfork();
  if (child == 0) {
    // A handler of this program's would run in its memory.
    struct sigaction normal = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &normal, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Whoever was gone before that is not heard of.
    if (getppid() != parent) _exit(127);
    setpgid(0, 0);
    for (int number = 0; number < 3 && failure == 0; number++) {
      // One that is there already stays, which dup2 does not see to.
      int done = standard[number] == number ? fcntl(number, F_SETFD, 0) : dup2(standard[number], number);
      if (done < 0) failure = errno;
    }
    if (failure == 0 && folder && chdir(folder) != 0) failure = errno;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (failure == 0) {
      execvpe(program, argv, envp);
      failure = errno;
    }
    _exit(127);
  }
  if (child < 0) failure = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (child > 0 && failure != 0)
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
  if (failure == 0) *pid = child;
  return failure;
}

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

int millrace_program_spawn(const char *program, char *const argv[], char *const envp[], const char *folder, int input,
                           int output, int error, pid_t *pid, int *pidfd) {
  int failure = millrace_bound_spawn(program, argv, envp, folder, (int[]){input, output, error}, pid);
  if (failure != 0) return failure;
  *pidfd = millrace_pidfd_own(*pid);
  if (*pidfd >= 0) return 0;
  failure = -*pidfd;
  kill(-*pid, SIGKILL);
  while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {}
  return failure;
}
#endif
