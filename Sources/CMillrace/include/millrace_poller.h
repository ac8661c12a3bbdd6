// Waiting on many descriptors at once.
#ifndef MILLRACE_POLLER_H
#define MILLRACE_POLLER_H

#include <stdint.h>

/// A poller, or -1 with errno.
int millrace_poller_create(void);

/// Watches a descriptor for something to read; `token` names it. 0, or errno.
int millrace_poller_add(int poller, int descriptor, uint64_t token);

/// Watches a socket for something to read, the end of the other side, and, if wanted, room to write. Again with `is_new` 0, to
/// change that. 0, or errno.
int millrace_poller_watch_socket(int poller, int descriptor, uint64_t token, int is_new, int wants_room);

/// Watches a socket for the end of the other side alone, not for what it says. 0, or errno.
int millrace_poller_add_hang_up(int poller, int descriptor, uint64_t token);

void millrace_poller_remove(int poller, int descriptor);

/// Waits up to `milliseconds` (-1: for ever) and writes the tokens of what can be read; how many, at most `capacity`.
/// -errno if it cannot wait, -EBADF also as soon as something comes out of `lifeline`, or its other end is closed.
int millrace_poller_wait(int poller, int lifeline, uint64_t *tokens, int capacity, int milliseconds);

#endif
