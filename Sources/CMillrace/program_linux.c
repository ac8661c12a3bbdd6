#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_program.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include "millrace_descriptor.h"

int millrace_program_spawn(const char *program, char *const argv[], char *const envp[], const char *folder, int input,
                           int output, int error, pid_t *pid, int *pidfd) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int failure = posix_spawn_file_actions_init(&actions);
  if (failure != 0) return failure;
  failure = posix_spawnattr_init(&attributes);
  if (failure != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return failure;
  }
  sigset_t none, ignored;
  sigemptyset(&none);
  sigemptyset(&ignored);
  sigaddset(&ignored, SIGPIPE);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &ignored);
  // Ours are all above 2, so none is overwritten before it is copied.
  if ((failure = posix_spawn_file_actions_adddup2(&actions, input, 0)) == 0 &&
      (failure = posix_spawn_file_actions_adddup2(&actions, output, 1)) == 0 &&
      (failure = posix_spawn_file_actions_adddup2(&actions, error, 2)) == 0 &&
      (!folder || (failure = posix_spawn_file_actions_addchdir_np(&actions, folder)) == 0))
    failure = posix_spawnp(pid, program, &actions, &attributes, argv, envp);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failure != 0) return failure;
  *pidfd = millrace_pidfd_own(*pid);
  if (*pidfd >= 0) return 0;
  failure = -*pidfd;
  kill(-*pid, SIGKILL);
  while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {}
  return failure;
}
#endif
