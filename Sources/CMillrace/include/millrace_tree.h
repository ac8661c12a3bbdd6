// Ending processes together with everything that they started.
#ifndef MILLRACE_TREE_H
#define MILLRACE_TREE_H

#include <stddef.h>
#include <sys/types.h>

/// A descriptor for a process (readable when it has ended), close-on-exec, or -errno.
int millrace_pidfd_open(pid_t pid);

/// Signals exactly the process that the descriptor stands for. 0, or errno (ESRCH: it has ended).
int millrace_pidfd_signal(int pidfd, int signal);

/// A process that is held by its descriptor, so that it can be ended whatever becomes of its parent.
typedef struct {
  pid_t pid;
  int pidfd;
} millrace_held;

/// SIGTERM for a process and all its descendants, unless `pidfd` says that the process is gone. The root dies first, and
/// what is deaf to the signal is nobody's then: so the descendants, at most `capacity` of them, are put into `held`, whose
/// descriptors are the caller's to close. Returns how many there are; -errno if the root may not be signalled.
long millrace_tree_terminate(pid_t root, int pidfd, millrace_held *held, size_t capacity);

/// SIGKILL for a process and all its descendants, also those in sessions of their own. The tree is stopped first, from
/// the top, so that nobody forks away meanwhile. `is_own_child`: not reaped yet by anybody but the caller, so that its
/// process group may be signalled even after its end. 0, or why the root could not be signalled (EPERM).
int millrace_tree_kill(pid_t root, int pidfd, int is_own_child);

/// Ends a process whose parent was ended, with its descendants, waits for that (100 ms at the most), and closes its
/// descriptor. If it has become our child, for we are the first of all processes, or a reaper, it is reaped.
void millrace_held_end(millrace_held held);

/// SIGKILL for those of a process group of ours whose leader is gone, and reaped: nobody keeps its number.
void millrace_group_kill(pid_t group);

/// Where orphans come to us: reaps those of a process group that was killed, but its leader, and waits for them (for 100
/// ms at the most).
void millrace_group_reap(pid_t group);

enum { MILLRACE_ORPHANS = 256 };

/// Children of the calling thread that have ended and that nobody has reaped.
typedef struct {
  pid_t pids[MILLRACE_ORPHANS];
  size_t count;
} millrace_orphans;

/// Reaps those that were there when this was last called, and notes the others. Whether the process has any child.
int millrace_orphans_reap(millrace_orphans *orphans);

/// Kills all descendants of a process, not itself, except the children in `except` and what is below them. Allocates
/// nothing and takes no lock, so it may run in a signal handler.
void millrace_descendants_kill(pid_t ancestor, const pid_t *except, size_t except_count);

#endif
