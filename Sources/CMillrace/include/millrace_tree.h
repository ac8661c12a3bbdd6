// Ending processes together with everything that they started.
#ifndef MILLRACE_TREE_H
#define MILLRACE_TREE_H

#include <stddef.h>
#include <sys/types.h>

/// A descriptor for a process (readable when it has ended), close-on-exec, or -errno.
int millrace_pidfd_open(pid_t pid);

/// Signals exactly the process that the descriptor stands for. 0, or errno (ESRCH: it has ended).
int millrace_pidfd_signal(int pidfd, int signal);

/// Sends a signal to a process and all its descendants. Nothing is sent if `pidfd` says that the process is gone.
void millrace_tree_signal(pid_t root, int pidfd, int signal);

/// SIGKILL for a process and all its descendants, also those in sessions of their own. The tree is stopped first, from
/// the top, so that nobody forks away meanwhile. `is_own_child`: not reaped yet by anybody but the caller, so that its
/// process group may be signalled even after its end.
void millrace_tree_kill(pid_t root, int pidfd, int is_own_child);

/// Kills all descendants of a process, not itself, except the children in `except` and what is below them. Allocates
/// nothing and takes no lock, so it may run in a signal handler.
void millrace_descendants_kill(pid_t ancestor, const pid_t *except, size_t except_count);

#endif
