// The crash record: which lane died of what, written by the dying thread into shared memory.
#ifdef __linux__
#define _GNU_SOURCE
#include "millrace_crash.h"
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "launch_internal.h"
#include "millrace_tree.h"

enum {
  SIGNAL_STACK = 128 * 1024,
  GUARD = 4096,
  OVERFLOW_BELOW = 1024 * 1024,  // how far below its stack a function's frame may reach at once
  OVERFLOW_ABOVE = 4096,
  LANES = 256,  // as many threads as a process may have
};

static const int crash_signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGSYS};
static struct sigaction previous[NSIG];
static pthread_once_t installed = PTHREAD_ONCE_INIT;

static millrace_crash_record *process_record;  // for threads without one
static int bell = -1;                          // of the first lane; there is one for all
static pid_t process;                          // a process that user code forks from a worker has no records
static int is_program_fork;

uint32_t millrace_crash_mark;
static uint64_t *progress_words[LANES];
static uint64_t given_up;

static __thread struct {
  millrace_crash_record *record;
  uintptr_t stack_low;
  char *signal_stack;
  int is_dying;
  uintptr_t shared_low;
  unsigned long shared_size;
  uint64_t *progress;
} lane;

static millrace_crash_record *claim(void) {
  millrace_crash_record *record = lane.record ? lane.record : __atomic_load_n(&process_record, __ATOMIC_ACQUIRE);
  uint32_t empty = MILLRACE_RECORD_EMPTY;
  if (!record || getpid() != process) return NULL;
  if (!__atomic_compare_exchange_n(
          &record->state, &empty, MILLRACE_RECORD_WRITING, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    return NULL;
  record->thread = (int32_t)syscall(SYS_gettid);
  record->is_anyones = !lane.record;
  return record;
}

// The record is there, and what is still to come may take seconds: tells the parent. User code may have closed the bell,
// and something else have its number.
static void ring(void) {
  char path[40], target[32];
  int number = bell;
  if (number < 0) return;
  char *at = path + sizeof path - 1;
  *at = 0;
  do *--at = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  static const char folder[] = "/proc/self/fd/", kind[] = "anon_inode:[eventfd]";
  at -= sizeof folder - 1;
  memcpy(at, folder, sizeof folder - 1);
  if (readlink(at, target, sizeof target) != sizeof kind - 1 || memcmp(target, kind, sizeof kind - 1) != 0) return;
  uint64_t one = 1;
  ssize_t written = write(bell, &one, sizeof one);
  (void)written;  // full: it rings already
}

// From here on nothing of this process counts, on whatever thread. What comes now wakes items out of what they wait in: their
// children are ended, and the backtracer interrupts every thread.
//
// A lane begins a chunk, then looks at the mark. The barrier is one for each thread: a lane that has not seen the mark has
// begun, and finds its run abandoned.
static void mark(void) {
  __atomic_store_n(&millrace_crash_mark, 1, __ATOMIC_SEQ_CST);
  syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
  for (size_t i = 0; i < LANES; i++) {
    uint64_t *progress = __atomic_load_n(&progress_words[i], __ATOMIC_ACQUIRE);
    if (progress) __atomic_fetch_or(progress, given_up, __ATOMIC_SEQ_CST);
  }
}

static void describe(millrace_crash_record *record, int signal, const siginfo_t *info, const ucontext_t *context) {
  int is_fault = info->si_code > 0;
  record->signal = signal;
  record->code = info->si_code;
  record->sender = is_fault ? 0 : info->si_pid;
  record->fault_address = is_fault ? (uintptr_t)info->si_addr : 0;
  // `raise` and `abort` come to the thread that calls them. What comes to the process comes to any of its threads.
  if (!is_fault && (info->si_code != SI_TKILL || info->si_pid != process)) record->is_anyones = 1;
#if defined(__x86_64__)
  record->stack_pointer = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
  record->program_counter = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  record->stack_pointer = context->uc_mcontext.sp;
  record->program_counter = context->uc_mcontext.pc;
#endif
  uintptr_t low = lane.stack_low;
  if (is_fault && low != 0 && (signal == SIGSEGV || signal == SIGBUS)) {
    uint64_t from = low - OVERFLOW_BELOW, to = low + OVERFLOW_ABOVE;
    record->is_stack_overflow = (record->fault_address >= from && record->fault_address < to) ||
        (record->stack_pointer >= from && record->stack_pointer < to);
  }
}

// In a copy of the process, which user code made by fork: has it come back to what only the worker itself may write?
static int is_a_copy_at_the_lane(const siginfo_t *info) {
  uintptr_t place = (uintptr_t)info->si_addr - lane.shared_low;
  return info->si_code > 0 && place < lane.shared_size && getpid() != process;
}

static void on_crash(int signal, siginfo_t *info, void *context) {
  if (is_a_copy_at_the_lane(info))
    millrace_worker_lost("it is a copy, made by fork in an item that has returned in it as well, and the lane is not its own");
  struct sigaction standard = {.sa_handler = SIG_DFL};
  if (lane.is_dying) {  // a fault in here
    sigaction(signal, &standard, NULL);
    return;
  }
  lane.is_dying = 1;
  if (getpid() == process) mark();
  millrace_crash_record *record = claim();
  if (record) {
    describe(record, signal, info, context);
    __atomic_store_n(&record->state, MILLRACE_RECORD_CRASH, __ATOMIC_RELEASE);
    ring();
  }
  // What this worker started goes first: nobody may be left to find it afterwards.
  if (getpid() == process) millrace_descendants_kill(process, NULL, 0);

  struct sigaction *next = &previous[signal];
  if ((next->sa_flags & SA_SIGINFO) && next->sa_sigaction) next->sa_sigaction(signal, info, context);
  else if (next->sa_handler != SIG_DFL && next->sa_handler != SIG_IGN) next->sa_handler(signal);
  // Die of the signal: a fault comes again by itself, a signal that was sent has to be sent again.
  sigaction(signal, &standard, NULL);
  if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
}

static void install(void) {
  // SA_NODEFER as Swift's own handler has it: the memory server that it starts inherits our mask, and must be able to
  // catch a SIGSEGV of its own, or the backtrace ends in the middle.
  struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++)
    sigaction(crash_signals[i], &action, &previous[crash_signals[i]]);
}

int millrace_crash_arm(millrace_crash_record *record, int parents_bell) {
  if (!lane.signal_stack) {
    char *base = mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (base == MAP_FAILED) return errno;
    mprotect(base, GUARD, PROT_NONE);
    stack_t stack = {.ss_sp = base + GUARD, .ss_size = SIGNAL_STACK - GUARD};
    if (sigaltstack(&stack, NULL) != 0) {
      int error = errno;
      munmap(base, SIGNAL_STACK);
      return error;
    }
    lane.signal_stack = base;
  }
  pthread_attr_t attributes;
  if (lane.stack_low == 0 && pthread_getattr_np(pthread_self(), &attributes) == 0) {
    void *low;
    size_t size;
    if (pthread_attr_getstack(&attributes, &low, &size) == 0) lane.stack_low = (uintptr_t)low;
    pthread_attr_destroy(&attributes);
  }
  lane.record = record;
  if (parents_bell >= 0) bell = parents_bell;
  millrace_crash_record *none = NULL;
  __atomic_compare_exchange_n(&process_record, &none, record, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
  return 0;
}

void millrace_crash_share(const void *memory, unsigned long size) {
  lane.shared_low = (uintptr_t)memory;
  lane.shared_size = size;
}

void millrace_crash_guard(uint64_t *progress, uint64_t abandoned) {
  __atomic_store_n(&given_up, abandoned, __ATOMIC_RELAXED);
  for (size_t i = 0; i < LANES && progress; i++) {
    uint64_t *none = NULL;
    if (!__atomic_compare_exchange_n(&progress_words[i], &none, progress, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) continue;
    lane.progress = progress;
    return;
  }
}

void millrace_await_end(void) {
  for (;;) pause();
}

void millrace_crash_disarm(void) {
  lane.shared_size = 0;
  for (size_t i = 0; i < LANES && lane.progress; i++)
    if (__atomic_load_n(&progress_words[i], __ATOMIC_RELAXED) == lane.progress) {
      __atomic_store_n(&progress_words[i], NULL, __ATOMIC_RELEASE);
      lane.progress = NULL;
    }
  millrace_crash_record *record = lane.record;
  if (record) __atomic_compare_exchange_n(&process_record, &record, NULL, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
  lane.record = NULL;
  if (!lane.signal_stack) return;
  stack_t none = {.ss_flags = SS_DISABLE};
  sigaltstack(&none, NULL);
  munmap(lane.signal_stack, SIGNAL_STACK);
  lane.signal_stack = NULL;
}

int millrace_crash_has_begun(const millrace_crash_record *record) {
  uint32_t state = __atomic_load_n(&record->state, __ATOMIC_ACQUIRE);
  return state >= MILLRACE_RECORD_WRITING && state <= MILLRACE_RECORD_EXIT;
}

uint32_t millrace_crash_read(const millrace_crash_record *record, millrace_crash_record *copy) {
  uint32_t state = __atomic_load_n(&record->state, __ATOMIC_ACQUIRE);
  memcpy(copy, record, sizeof *copy);
  copy->state = state;
  return state;
}

// What was written and not flushed. In a fork of the program there are streams of the program's, which flushes them itself.
static void flush(void) {
  if (!is_program_fork) {
    fflush(NULL);
    return;
  }
  fflush(stdout);
  fflush(stderr);
}

// Registered before any line of user code, so it is the last of a worker's own exit handlers, and comes before those of
// the program, or of the libraries of the fork server, which are not the worker's to run.
#ifdef __GLIBC__
static void on_exit_called(int code, void *unused) {
  (void)unused;
#else
static void on_exit_called(void) {
  int code = -1;
#endif
  if (getpid() != process) return;
  mark();
  millrace_crash_record *record = claim();
  if (record) {
    record->exit_code = code;
    __atomic_store_n(&record->state, MILLRACE_RECORD_EXIT, __ATOMIC_RELEASE);
    ring();
  }
  millrace_descendants_kill(process, NULL, 0);
#ifdef __GLIBC__
  flush();
  _exit(code);
#endif
}

void millrace_crash_set_up(int is_fork_of_program) {
  process = getpid();
  __atomic_store_n(&process_record, NULL, __ATOMIC_RELEASE);
  memset(&lane, 0, sizeof lane);
  memset(progress_words, 0, sizeof progress_words);
  millrace_crash_mark = 0;
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
  is_program_fork = is_fork_of_program;
  pthread_once(&installed, install);
#ifdef __GLIBC__
  on_exit(on_exit_called, NULL);
#else
  atexit(on_exit_called);
#endif
}

void millrace_worker_exit(int code) {
  lane.record = NULL;
  __atomic_store_n(&process_record, NULL, __ATOMIC_RELEASE);
  if (!is_program_fork) exit(code);
  flush();
  millrace_descendants_kill(getpid(), NULL, 0);
  _exit(code);
}
#endif
