#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_program.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
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

int millrace_program_spawn(const char *program, char *const argv[], char *const envp[], const char *folder, int input,
                           int output, int error, pid_t *pid, int *pidfd) {
  sigset_t none, ignored;
  sigemptyset(&none);
  sigemptyset(&ignored);
  sigaddset(&ignored, SIGPIPE);
  int failure =
      millrace_leader_spawn(program, argv, envp, folder, (int[]){input, output, error}, &none, &ignored, pid);
  if (failure != 0) return failure;
  *pidfd = millrace_pidfd_own(*pid);
  if (*pidfd >= 0) return 0;
  failure = -*pidfd;
  kill(-*pid, SIGKILL);
  while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {}
  return failure;
}
#endif
