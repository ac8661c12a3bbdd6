// The descriptors that are ours: where they are, and which they are.
//
// Whatever makes a descriptor for Millrace, in a program, a fork server, a worker or the command, hands it to one of the
// two functions here before anybody sees its number. None is ever 0, 1 or 2, which are free to be given in a program that
// was started with them closed. In a worker they stand high, where no number of the user's is: see `millrace_fd_stand_high`.
#ifndef MILLRACE_DESCRIPTOR_H
#define MILLRACE_DESCRIPTOR_H

#include <stdint.h>
#include <sys/types.h>

/// Takes over a descriptor that was just made: moves it out of the way of the user's, close-on-exec, and notes that it is ours.
/// Passes -1 on. Returns its number, or -1 with errno; then the descriptor is closed.
///
/// Between the call that made it and this one, a fork of the program would copy it without knowing it: so both stand
/// between `millrace_fd_lock` and `millrace_fd_unlock`.
int millrace_fd_own(int fd);

/// Both of a pair, or none. 0, or errno.
int millrace_fd_own_pair(int fds[2]);

/// A copy of a descriptor, which is ours; or -1 with errno.
int millrace_fd_copy(int fd);

/// Opens a process. Its descriptor, which is ours, or -errno.
int millrace_pidfd_own(pid_t pid);

/// Closes a descriptor that is ours.
void millrace_fd_close(int fd);

/// No fork happens in between, of anybody's, and nothing else of ours is made or closed. What is made has none of the standard
/// numbers, not even for a moment: where one is missing, something stands in for it.
void millrace_fd_lock(void);
void millrace_fd_unlock(void);

/// Moves a descriptor that lives for a moment out of 0...2. Without a lock, and not noted: for crash handlers too.
/// Returns the new number, or -errno; the old one is closed in both cases if it was moved.
int millrace_fd_raise(int fd);

/// A file, close-on-exec, numbered above 2, which is not noted. -1 with errno.
int millrace_fd_open(const char *path, int flags, unsigned mode);

/// As `millrace_fd_open`, and it is ours. May wait, for the other end of a FIFO.
int millrace_fd_open_own(const char *path, int flags, unsigned mode);

/// A watch of files, non-blocking, which is ours; or -1 with errno.
int millrace_watch_own(void);

/// In a process that was just made by fork and is to be a worker: closes all that is ours, but for `kept` and what
/// `millrace_fd_keep` was told of. What is the user's stays, as fork means it, also where ours was before they closed it.
void millrace_fd_close_inherited(int kept);

/// In a worker, before it runs any code of the user's: from here on, ours have the last numbers below the limit.
void millrace_fd_stand_high(void);

/// Moves one of ours to where nobody else can have one: above the number that the kernel gives to anybody (the soft limit),
/// if the hard limit lets us go there, else to where the others are. Returns its number, or -1 with errno.
///
/// The soft limit is changed for a moment: for a worker that has not run any of the user's code.
int millrace_fd_lift(int fd);

/// Whether this process can have no more descriptors.
int millrace_fd_is_last(void);

/// What kind of thing a descriptor is: 0 if there is none. Another one by the same number is most likely of another kind.
uint64_t millrace_fd_kind(int fd);

/// Closes it, unless it is of another kind than it was: then others have closed it, and what has its number is left to them.
void millrace_fd_close_own(int fd, uint64_t kind);

#endif
