// What a worker leaves behind in shared memory when it crashes or calls exit.
#ifndef MILLRACE_CRASH_H
#define MILLRACE_CRASH_H

#include <stdint.h>

enum {
  MILLRACE_RECORD_EMPTY = 0,
  MILLRACE_RECORD_WRITING = 1,
  MILLRACE_RECORD_CRASH = 2,
  MILLRACE_RECORD_EXIT = 3,
};

/// One a lane, zeroed by the parent before the worker starts.
typedef struct {
  uint32_t state;           // MILLRACE_RECORD_..., written last
  int32_t signal;
  int32_t code;             // si_code
  int32_t sender;           // pid that sent the signal, 0 if the fault was the thread's own
  uint64_t fault_address;
  uint64_t stack_pointer;
  uint64_t program_counter;
  int32_t thread;           // kernel thread ID
  int32_t exit_code;
  uint32_t is_stack_overflow;
  uint32_t is_anyones;      // it may have been another lane's doing: a signal to the whole process, a thread of the user's
  uint32_t reserved[2];
} millrace_crash_record;

/// In a worker process: makes the calling thread report its crash, or its call of exit, in `record`, and gives it a signal stack. The first
/// record armed also serves threads that have none. Whatever handler was there (Swift's backtracer) runs afterwards: it may
/// take seconds, so `bell` (an eventfd, or -1) is rung when the record is there. 0, or errno.
int millrace_crash_arm(millrace_crash_record *record, int bell);

/// The memory that the calling thread shares with the pool, which a fork of this process does not have: a copy of this thread
/// that comes back to it, out of code of the user's that called fork and returned in both, ends at once, and says so.
void millrace_crash_share(const void *memory, unsigned long size);

/// The word by which the calling thread counts what it has done, and the bit that makes its next step fail: a crash, or a call
/// of exit, on any thread sets it first of all.
void millrace_crash_guard(uint64_t *progress, uint64_t abandoned);

/// Set when a thread of this worker process crashes or calls exit. Read it by `millrace_is_crashing`.
extern uint32_t millrace_crash_mark;

/// Whether this worker process has marked its crash: nothing that it does from then on counts. Not to be read before what was
/// stored ahead of it.
static inline int millrace_is_crashing(void) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  return __atomic_load_n(&millrace_crash_mark, __ATOMIC_ACQUIRE) != 0;
}

/// Waits for the end of the process.
_Noreturn void millrace_await_end(void);

/// Undoes `millrace_crash_arm` for the calling thread: before it ends, and before its record goes away.
void millrace_crash_disarm(void);

/// Whether there is a record, or is about to be one: the worker is on its way out. Safe while the worker lives.
int millrace_crash_has_begun(const millrace_crash_record *record);

/// Copies a finished record; returns its state. Safe while the worker lives.
uint32_t millrace_crash_read(const millrace_crash_record *record, millrace_crash_record *copy);

#endif
