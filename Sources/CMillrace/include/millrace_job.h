// Commands as jobs: start one in a process group of its own, wait for its end through a descriptor.
#ifndef MILLRACE_JOB_H
#define MILLRACE_JOB_H

#include <sys/types.h>

/// Starts a program (searched on PATH unless it holds a slash) as the leader of a new process group, with these three
/// descriptors as its standard ones, no other descriptor that is close-on-exec, the signal mask of the caller's start
/// and SIGPIPE as the caller found it. Stores the process. Returns 0 or an errno value, then no process is left.
int millrace_job_spawn(const char *program, char *const argv[], char *const envp[], int input, int output, int error,
                       pid_t *pid);

/// To be called once, before any thread is made: ignores SIGPIPE, blocks the signals that end a program from outside
/// (SIGINT, SIGTERM, SIGHUP; not those that the caller was started to ignore), and remembers both for the jobs.
void millrace_job_prepare_signals(void);

/// Waits for one of the signals blocked above. Returns its number.
int millrace_job_wait_signal(void);

/// Reaps a process that has ended. Returns 0 and the exit code, or 1 and the signal; -1 with errno.
int millrace_job_reap(int pidfd, int *value);

/// A close-on-exec descriptor of a process, or -1 with errno.
int millrace_job_pidfd(pid_t pid);

/// Sends a signal through a descriptor of a process. 0, or -1 with errno (ESRCH: it has ended).
int millrace_job_signal(int pidfd, int signal);

/// A file without a name in `directory`, gone with its last descriptor; or -1 with errno.
int millrace_unlinked_file(const char *directory);

/// Gives the blocks of a part of a file back to its file system. 0, or -1 with errno.
int millrace_punch_hole(int descriptor, off_t offset, off_t length);

#endif
