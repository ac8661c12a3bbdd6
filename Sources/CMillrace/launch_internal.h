// Shared by the parts of the launch layer; not for Swift.
#ifndef MILLRACE_LAUNCH_INTERNAL_H
#define MILLRACE_LAUNCH_INTERNAL_H

#include <stdint.h>
#include "millrace_launch.h"

/// The socket of a spawned server or worker always has this number.
#define MILLRACE_BOOTSTRAP_FD 3

extern int millrace_current_depth;

/// The Swift side of a worker, in MillraceIPC.
extern void millrace_worker_entry(int control) __attribute__((weak));

/// The Swift side of an agent of a cluster, in MillraceCluster: does not come back.
extern void millrace_agent_entry(const char *settings) __attribute__((weak));

_Noreturn void millrace_fork_server_run(int socket, pid_t parent);

typedef struct {
  int control;
  int out, err;            // to become 1 and 2; -1: leave
  pid_t parent;            // who must be our parent, else it is dead already
  int is_program_fork;     // forked from a program with threads, open files, handlers and unflushed output
} millrace_child;

/// Makes a fresh process a worker that runs `run` on a new thread, while this one watches the parent. Never fails halfway
/// (it exits instead).
_Noreturn void millrace_child_run(
    const millrace_child *child, void (*run)(void *context, int control), void *context);

/// The same, for a worker that reads from its socket what it is to run.
_Noreturn void millrace_child_serve(const millrace_child *child);

/// Installs the crash handlers and the exit hook, and forgets the records of the process that we were forked from.
void millrace_crash_set_up(int is_program_fork);

/// In a worker, before any thread of it works.
void millrace_watch_set_up(void);

/// Sleeps until one of the two descriptors is readable, and reaps orphans meanwhile. For the worker's first thread.
///
/// One that was forked from the program ends there if it waits for what nobody gives: but `serving`, the thread that hears the pool, may wait.
void millrace_watch(const int ends[2], int is_program_fork, const int *serving);

/// Calls `visit` with each number that names an entry of a directory. Allocates nothing, as `opendir` would.
void millrace_each_entry(const char *path, void (*visit)(long number, void *context), void *context);

/// What was seen at the last look.
typedef struct {
  uint64_t found;
  uint64_t processor_time;
} millrace_stuck;

/// Whether at this look and the last one nobody did anything here, and either a thread waited for a mutex that was taken by a thread which
/// is not here (with GNU's C library), or all waited for each other: but for the calling one, which is the first, and the one of this number.
int millrace_is_stuck(millrace_stuck *before, int serving);

_Noreturn void millrace_fatal(const char *message);

#endif
