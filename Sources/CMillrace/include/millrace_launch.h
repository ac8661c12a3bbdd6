// How workers start: the bootstrap that turns this executable into a fork server or a worker, and fork of the program.
#ifndef MILLRACE_LAUNCH_H
#define MILLRACE_LAUNCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Launches inside launches that are allowed; deeper ones are refused.
#define MILLRACE_DEPTH_LIMIT 8

/// How many launches lie above this process: 0 in a program that a user started.
int millrace_depth(void);

/// Makes a program an agent of a cluster, before its `main`.
#define MILLRACE_AGENT_VARIABLE "MILLRACE_AGENT"

enum {
  MILLRACE_ROLE_SERVER = 1,
  MILLRACE_ROLE_WORKER = 2,
};

/// What a process finds when it begins: NULL, or -1, is what this one has now.
typedef struct {
  const char *folder;
  int mask;  // as of umask
  char **environment;
} millrace_surroundings;

/// The permission bits that new files of this process do not get, without changing them; -1 if the kernel does not tell.
int millrace_umask(void);

/// Takes them on, in a process that was just forked. The environment is not copied: it has to stay.
void millrace_surroundings_take_on(const millrace_surroundings *surroundings);

// Spawning this executable again

/// Starts this executable anew (also if its file has been replaced or deleted) in a role, with `control` as its socket.
/// `out` and `err` become its standard output and error; -1 keeps the program's. `backtrace`: settings of Swift's
/// backtracer, in place of the program's own SWIFT_BACKTRACE; or NULL. `surroundings`: what it begins with. 0, or errno.
/// To be called on the spawner thread: the parent-death signal, which is set before anything of the new program runs, fires
/// when the spawning thread ends.
int millrace_spawn_self(
    int role, int control, int out, int err, const char *backtrace, const millrace_surroundings *surroundings,
    pid_t *pid, int *pidfd);

/// Forks the program. In the child, the program's own descriptors are as they were, all of ours but `control` are closed, and
/// `body` is called on a new thread; when it returns, the child exits with 0. To be called on the spawner thread. 0, or errno.
int millrace_fork_program(
    int control, int out, int err, void (*body)(void *context, int control), void *context, pid_t *pid, int *pidfd);

/// Runs a job on the program's one spawner thread, which never ends, and waits for it. 0, or errno.
int millrace_on_spawner(void (*job)(void *context), void *context);

/// Reaps a child that has ended; never waits. 1 and its status and peak memory if it has (what is left of its process
/// group is killed), 0 if it has not, or -errno. Where somebody else in the program has reaped it, the kernel is asked for
/// its status (since Linux 6.15), and its memory is 0; -ECHILD if nobody knows it any more.
int millrace_reap(pid_t pid, int pidfd, int *status, long *max_rss_kib);

/// A descriptor of our own child in place of one that somebody has closed, and that was of this kind: it is ours. -1 if that is as it was, or there is
/// no such child any more.
int millrace_pidfd_renewed(pid_t pid, int pidfd, uint64_t kind);

/// A thread of a worker begins to work, or waits for work again. While none works and the worker has no child, its first
/// thread sleeps; or else it looks twice a second for what the user's commands have left behind.
void millrace_work_begins(void);
void millrace_work_ends(void);

/// Ends a worker in good order: an exit that is not recorded as a surprise.
_Noreturn void millrace_worker_exit(int code);

/// The code that a worker exits with when it has lost what binds it to the pool.
#define MILLRACE_EXIT_LOST 74
#define MILLRACE_LAST_WORDS "millrace: the worker cannot go on: "

/// Ends a worker that cannot go on, with all that it has started, and says why on its standard error, if that is still the
/// one that it was started with. Nothing is flushed, no exit handler runs.
_Noreturn void millrace_worker_lost(const char *reason);

/// The code that a worker exits with when an item has ended the thread that it ran on.
#define MILLRACE_EXIT_THREAD 75

/// The code that a worker exits with that waits for what another thread of the program held or was doing when it was forked.
#define MILLRACE_EXIT_STUCK 79

/// Ends a worker whose thread was ended by code of the user's, with all that it has started, and says so on its standard error.
_Noreturn void millrace_worker_thread_ended(void);

// The fork server's messages

enum {
  MILLRACE_SERVER_FORK = 1,  // request; descriptors: control, then standard output and error as flagged
  MILLRACE_SERVER_STARTED,   // answer; pid; one descriptor: the pidfd
  MILLRACE_SERVER_FAILED,    // answer; value is the errno
  MILLRACE_SERVER_EXITED,    // answer; pid, value is the wait status, max_rss
};

enum {
  MILLRACE_SERVER_HAS_STDOUT = 1,
  MILLRACE_SERVER_HAS_STDERR = 2,
};

typedef struct {
  uint32_t kind;
  uint32_t flags;
  uint64_t token;
} millrace_server_request;

typedef struct {
  uint32_t kind;
  int32_t pid;
  int32_t value;
  uint32_t reserved;
  uint64_t token;
  uint64_t max_rss_kib;
} millrace_server_answer;

#endif
