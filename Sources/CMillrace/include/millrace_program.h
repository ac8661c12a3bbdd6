// Other programs, with pipes of ours as their standard descriptors.
#ifndef MILLRACE_PROGRAM_H
#define MILLRACE_PROGRAM_H

#include <signal.h>
#include <sys/types.h>

/// Starts a program (searched on PATH unless it holds a slash) in a folder (NULL: this process's), as the leader of a new process group,
/// with these three descriptors as its standard ones, no signal blocked or ignored, and no other descriptor of ours. 0 and the
/// process, with a descriptor of it that is ours; or an errno value, and no process.
///
/// It is killed when the calling thread ends: that is to stay until the program has ended.
int millrace_program_spawn(const char *program, char *const argv[], char *const envp[], const char *folder, int input,
                           int output, int error, pid_t *pid, int *pidfd);

/// Starts a program as the leader of a new process group, with these descriptors as its standard ones, this signal mask, and those signals
/// at their defaults. 0 and the process; or an errno value, and no process.
int millrace_leader_spawn(const char *program, char *const argv[], char *const envp[], const char *folder,
                          const int standard[3], const sigset_t *mask, const sigset_t *defaults, pid_t *pid);

/// Like the above, without a signal that is blocked or at other than its default, and with the program ending when the calling thread
/// does: the system sees to it, however that comes about. 0 and the process; or an errno value, and no process.
int millrace_bound_spawn(const char *program, char *const argv[], char *const envp[], const char *folder,
                         const int standard[3], pid_t *pid);

#endif
