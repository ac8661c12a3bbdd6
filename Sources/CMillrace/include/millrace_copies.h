// Copies of this process that code of the user's makes by fork, in the middle of what it does for us.
#ifndef MILLRACE_COPIES_H
#define MILLRACE_COPIES_H

#include <stdint.h>

/// How many forks lie between the program's start and this process. What was begun with another number was begun by the process
/// that this one is a copy of.
extern uint32_t millrace_forks;

static inline uint32_t millrace_fork_count(void) { return millrace_forks; }

/// A word that gets `bits` in every copy of this process. Part of its owner, and at its place until it is let go.
typedef struct millrace_watched {
  struct millrace_watched *next, **link;
  uint64_t *word;
  uint64_t bits;
} millrace_watched;

void millrace_copies_watch(millrace_watched *place, uint64_t *word, uint64_t bits);
void millrace_copies_forget(millrace_watched *place);

/// Ends a copy that has come back from code of the user's, and says so: the original answers. No exit handler runs, nothing is
/// flushed.
_Noreturn void millrace_copy_end(void);

#endif
