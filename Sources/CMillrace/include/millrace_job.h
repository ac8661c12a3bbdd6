// Commands as jobs: start one in a process group of its own, wait for its end through a descriptor.
#ifndef MILLRACE_JOB_H
#define MILLRACE_JOB_H

#include <stdint.h>
#include <sys/types.h>

/// Starts a program (searched on PATH unless it holds a slash) as the leader of a new process group, with these three
/// descriptors as its standard ones, no other descriptor that is close-on-exec, the signal mask of the caller's start
/// and SIGPIPE as the caller found it. Stores the process. Returns 0 or an errno value, then no process is left.
int millrace_job_spawn(const char *program, char *const argv[], char *const envp[], int input, int output, int error,
                       pid_t *pid);

/// To be called once, before any thread is made: ignores SIGPIPE, blocks the signals that end or stop a program from outside
/// (SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP; not those that the caller was started to ignore), and remembers both for the jobs.
/// Where there is a terminal, SIGCHLD too: a job may be stopped for using it.
void millrace_job_prepare_signals(void);

/// Waits for one of the signals blocked above, so many nanoseconds, or for ever if that is below 0. Returns its number; 0 when
/// the time is over.
int millrace_job_wait_signal(int64_t nanoseconds);

/// Does to this process what SIGTSTP would have done, had it not been blocked: stops it, until it is continued, unless nobody
/// could continue it.
void millrace_job_suspend(void);

/// Stores a child that was stopped since the last call and the signal that did it. Returns 1, or 0 if there is none.
int millrace_job_stopped(pid_t *pid, int *signal);

/// Reaps a process that has ended. Returns 0 and the exit code, or 1 and the signal; -1 with errno.
int millrace_job_reap(int pidfd, int *value);

/// A file without a name in `directory`, gone with its last descriptor; or -1 with errno.
int millrace_unlinked_file(const char *directory);

/// Gives the blocks of a part of a file back to its file system. 0, or -1 with errno.
int millrace_punch_hole(int descriptor, off_t offset, off_t length);

#endif
