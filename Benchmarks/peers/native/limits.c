// What the hardware and the kernel allow: the workloads written by hand, without a library, an order, a failure or a
// promise. Whoever comes near has nothing left to gain.
//
//   limits W1|W3|W4|W5|W6|W9|W15 REPS [kind=true|echo|shell]
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"

extern char **environ;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void report(const char *variant, double seconds, double amount, const char *unit) {
  printf("R %s seconds s %.9g\n", variant, seconds);
  if (amount > 0) printf("R %s rate %s %.9g\n", variant, unit, amount / seconds);
  fflush(stdout);
}

static void check(const char *variant, int is_right) {
  if (!is_right) printf("E %s: wrong results\n", variant);
}

static void *map_memory(size_t size, int flags) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  return memory;
}

// A child that ends with its parent. Standard output has been flushed, so nothing is printed twice.
static pid_t start_child(void) {
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  return child;
}

static void wait_for_child(void) {
  int status;
  pid_t child;
  while ((child = wait(&status)) < 0 && errno == EINTR) {}
  if (child < 0 || status != 0) fail("a child failed");
}

// Two CPUs and up to three processes: who waits gives way.
#define WAIT_WHILE(condition) \
  for (int spins = 0; condition; spins++) \
    if (spins > 200) sched_yield()

// W1: two threads, and memory advised to be of huge pages.

enum { TINY_COUNT = 10000000 };
struct half { int64_t *output; const int64_t *input; int start, end; };

static void *square_half(void *argument) {
  struct half *half = argument;
  for (int i = half->start; i < half->end; i++) half->output[i] = half->input[i] * half->input[i] + 1;
  return NULL;
}

static void square_all(int64_t *output, const int64_t *input) {
  struct half halves[2] = {{output, input, 0, TINY_COUNT / 2}, {output, input, TINY_COUNT / 2, TINY_COUNT}};
  pthread_t thread;
  if (pthread_create(&thread, NULL, square_half, &halves[1])) fail("pthread_create");
  square_half(&halves[0]);
  pthread_join(thread, NULL);
}

static uint64_t tiny_sum(const int64_t *output) {
  uint64_t sum = 0;
  for (int i = 0; i < TINY_COUNT; i++) sum += (uint64_t)output[i];
  return sum;
}

static void tiny_map(int repetitions) {
  const size_t size = TINY_COUNT * sizeof(int64_t);
  const uint64_t expected = 1291890006573070912u;
  int64_t *input = malloc(size), *kept = malloc(size);
  for (int i = 0; i < TINY_COUNT; i++) input[i] = i, kept[i] = 1;
  for (int repetition = 0; repetition < repetitions; repetition++) {
    double start = now();
    int64_t *output = map_memory(size, MAP_PRIVATE);
    madvise(output, size, MADV_HUGEPAGE);
    square_all(output, input);
    report("W1.fresh", now() - start, 0, NULL);
    check("W1.fresh", tiny_sum(output) == expected);
    munmap(output, size);

    start = now();
    square_all(kept, input);
    report("W1.reuse", now() - start, 0, NULL);
    check("W1.reuse", tiny_sum(kept) == expected);
  }
}

// W3: two processes, each with a ring of requests and one of answers.

enum { RING = 4096 };
struct ring {
  _Alignas(64) _Atomic uint64_t written;
  _Alignas(64) _Atomic uint64_t read;
  _Alignas(64) int64_t items[RING];
};
struct lane { struct ring requests, answers; };

// Answers until the item -1.
static void serve(struct lane *lane, uint64_t step) {
  struct ring *in = &lane->requests, *out = &lane->answers;
  uint64_t position = 0;
  for (;;) {
    uint64_t end;
    WAIT_WHILE((end = atomic_load_explicit(&in->written, memory_order_acquire)) == position);
    while (position < end) {
      uint64_t stop = position + step < end ? position + step : end;
      WAIT_WHILE(stop - atomic_load_explicit(&out->read, memory_order_acquire) > RING);
      for (; position < stop; position++) {
        int64_t item = in->items[position % RING];
        if (item < 0) _exit(0);
        out->items[position % RING] = item * item + 1;
      }
      atomic_store_explicit(&in->read, position, memory_order_release);
      atomic_store_explicit(&out->written, position, memory_order_release);
    }
  }
}

// Items are published `step` at a time.
static void small_items(const char *variant, int count, uint64_t step, int repetitions) {
  for (int repetition = 0; repetition < repetitions; repetition++) {
    struct lane *lanes = map_memory(2 * sizeof(struct lane), MAP_SHARED);
    for (int i = 0; i < 2; i++) if (start_child() == 0) serve(&lanes[i], step);
    int64_t *results = malloc(count * sizeof(int64_t));
    uint64_t sent[2] = {0}, received[2] = {0};
    int next = 0, taken = 0;
    double start = now();
    while (taken < count) {
      for (int i = 0; i < 2; i++) {
        struct ring *requests = &lanes[i].requests, *answers = &lanes[i].answers;
        // Never more underway than the ring of answers has room for.
        uint64_t room = RING - (sent[i] - received[i]);
        for (uint64_t share = room < step ? room : step; share > 0 && next < count; share--)
          requests->items[sent[i]++ % RING] = next++;
        atomic_store_explicit(&requests->written, sent[i], memory_order_release);
        uint64_t end = atomic_load_explicit(&answers->written, memory_order_acquire);
        while (received[i] < end) results[taken++] = answers->items[received[i]++ % RING];
        atomic_store_explicit(&answers->read, end, memory_order_release);
      }
    }
    report(variant, now() - start, count, "items/s");
    for (int i = 0; i < 2; i++) {
      lanes[i].requests.items[sent[i] % RING] = -1;
      atomic_store_explicit(&lanes[i].requests.written, sent[i] + 1, memory_order_release);
    }
    uint64_t sum = 0, expected = 0;
    for (int i = 0; i < count; i++) sum += results[i], expected += (uint64_t)i * i + 1;
    check(variant, sum == expected);
    free(results);
    wait_for_child();
    wait_for_child();
    munmap(lanes, 2 * sizeof(struct lane));
  }
}

// W4: two processes, each with a place for a buffer in shared memory; the parent copies in and out.

struct place { _Atomic int state; };  // 0: free, 1: to be worked on, 2: done, 3: over

static void large_payloads(const char *variant, size_t size, int count, int repetitions) {
  uint8_t *buffers[16], *result = malloc(size);
  uint64_t sums[16], expected = 0;
  for (int b = 0; b < 16; b++) {
    buffers[b] = malloc(size);
    kernel_fill(buffers[b], size, b + 1);
    kernel_xor(result, buffers[b], size);
    sums[b] = kernel_sum(result, size);
  }
  for (int i = 0; i < count; i++) expected += sums[i % 16];
  struct place *places = map_memory(2 * sizeof(struct place), MAP_SHARED);
  uint8_t *in[2], *out[2];
  for (int i = 0; i < 2; i++) {
    in[i] = map_memory(size, MAP_SHARED);
    out[i] = map_memory(size, MAP_SHARED);
    memset(in[i], 0, size);
    memset(out[i], 0, size);
    atomic_store(&places[i].state, 0);
    if (start_child() == 0) {
      for (;;) {
        int state;
        WAIT_WHILE((state = atomic_load(&places[i].state)) != 1 && state != 3);
        if (state == 3) _exit(0);
        kernel_xor(out[i], in[i], size);
        atomic_store(&places[i].state, 2);
      }
    }
  }
  for (int repetition = 0; repetition < repetitions; repetition++) {
    uint64_t sum = 0;
    int sent = 0, taken = 0;
    double start = now();
    while (taken < count) {
      int did_something = 0;
      for (int i = 0; i < 2; i++) {
        int state = atomic_load(&places[i].state);
        if (state == 2) {
          memcpy(result, out[i], size);
          taken++;
          atomic_store(&places[i].state, state = 0);
          if (sent < count) {
            memcpy(in[i], buffers[sent++ % 16], size);
            atomic_store(&places[i].state, 1);
          }
          sum += kernel_sum(result, size);
          did_something = 1;
        } else if (state == 0 && sent < count) {
          memcpy(in[i], buffers[sent++ % 16], size);
          atomic_store(&places[i].state, 1);
          did_something = 1;
        }
      }
      if (!did_something) sched_yield();
    }
    report(variant, now() - start, size / 1048576.0 * count, "MiB/s");
    check(variant, sum == expected);
  }
  for (int i = 0; i < 2; i++) atomic_store(&places[i].state, 3);
  wait_for_child();
  wait_for_child();
  for (int i = 0; i < 2; i++) munmap(in[i], size), munmap(out[i], size);
  for (int b = 0; b < 16; b++) free(buffers[b]);
  free(result);
}

// W5.init: two processes, each of which loads the model and evaluates half of the items.

static void expensive_start(int repetitions) {
  uint64_t *sums = map_memory(2 * sizeof(uint64_t), MAP_SHARED), expected = 0, model = kernel_spin(7, 31400000);
  for (int item = 0; item < 10; item++) expected += 50 * kernel_spin(model ^ item, 1256000);
  for (int repetition = 0; repetition < repetitions; repetition++) {
    double start = now();
    for (int half = 0; half < 2; half++) {
      if (start_child() == 0) {
        uint64_t own = kernel_spin(7, 31400000);
        sums[half] = 0;
        for (int i = half; i < 500; i += 2) sums[half] += kernel_spin(own ^ (i % 10), 1256000);
        _exit(0);
      }
    }
    wait_for_child();
    wait_for_child();
    report("W5.init", now() - start, 0, NULL);
    check("W5.init", sums[0] + sums[1] == expected);
  }
}

// W6: two forks, an item each by pipe, and the end.

static void start_and_stop(int repetitions) {
  for (int repetition = 0; repetition < repetitions; repetition++) {
    int requests[2][2], answers[2][2];
    int64_t results[2];
    double start = now();
    for (int i = 0; i < 2; i++) {
      if (pipe(requests[i]) || pipe(answers[i])) fail("pipe");
      if (start_child() == 0) {
        int64_t item;
        if (read(requests[i][0], &item, sizeof item) != sizeof item) _exit(1);
        item = item * item + 1;
        _exit(write(answers[i][1], &item, sizeof item) != sizeof item);
      }
    }
    for (int64_t i = 0; i < 2; i++) {
      int64_t item = i + 1;
      if (write(requests[i][1], &item, sizeof item) != sizeof item) fail("write");
    }
    for (int i = 0; i < 2; i++)
      if (read(answers[i][0], &results[i], sizeof results[i]) != sizeof results[i]) fail("read");
    for (int i = 0; i < 2; i++) close(requests[i][0]), close(requests[i][1]), close(answers[i][0]), close(answers[i][1]);
    wait_for_child();
    wait_for_child();
    report("W6", now() - start, 0, NULL);
    check("W6", results[0] == 2 && results[1] == 5);
  }
}

// W9: posix_spawn, two at a time.

static void start_job(const char *kind, int number, posix_spawn_file_actions_t *actions) {
  char text[32], script[48];
  snprintf(text, sizeof text, "%d", number);
  snprintf(script, sizeof script, "echo %d", number);
  char *jobs[3][4] = {{"true", NULL}, {"echo", text, NULL}, {"sh", "-c", script, NULL}};
  char **words = jobs[!strcmp(kind, "true") ? 0 : !strcmp(kind, "echo") ? 1 : 2];
  pid_t child;
  if ((errno = posix_spawnp(&child, words[0], actions, NULL, words, environ))) fail(words[0]);
}

static void shell_commands(const char *kind, int repetitions) {
  char variant[32];
  snprintf(variant, sizeof variant, "W9.%s", kind);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const int count = 2000;
  for (int repetition = 0; repetition < repetitions; repetition++) {
    double start = now();
    for (int job = 1; job <= count; job++) {
      if (job > 2) wait_for_child();
      start_job(kind, job, &actions);
    }
    wait_for_child();
    wait_for_child();
    report(variant, now() - start, count, "jobs/s");
  }
}

// W15: two processes sum buffers where they are, in memory that all share; two threads fill an array in such memory.

static void shared_sums(int repetitions) {
  enum { SIZE = 1 << 20, COUNT = 1000 };
  uint8_t *buffers = map_memory(16 * SIZE, MAP_SHARED);
  uint64_t expected = 0;
  for (int b = 0; b < 16; b++) kernel_fill(buffers + b * SIZE, SIZE, b + 1);
  for (int i = 0; i < COUNT; i++) expected += kernel_sum(buffers + i % 16 * SIZE, SIZE);
  struct { _Atomic int next; _Atomic uint64_t sum; _Atomic int done; _Atomic int round; } *shared =
      map_memory(4096, MAP_SHARED);
  for (int child = 0; child < 2; child++) {
    if (start_child() == 0) {
      for (int seen = 0;; seen++) {
        int round;
        WAIT_WHILE((round = atomic_load(&shared->round)) == seen);
        if (round < 0) _exit(0);
        for (int i; (i = atomic_fetch_add(&shared->next, 1)) < COUNT;)
          atomic_fetch_add(&shared->sum, kernel_sum(buffers + i % 16 * SIZE, SIZE));
        atomic_fetch_add(&shared->done, 1);
      }
    }
  }
  for (int repetition = 0; repetition < repetitions; repetition++) {
    atomic_store(&shared->next, 0), atomic_store(&shared->sum, 0), atomic_store(&shared->done, 0);
    double start = now();
    atomic_fetch_add(&shared->round, 1);
    WAIT_WHILE(atomic_load(&shared->done) < 2);
    report("W15.sum", now() - start, COUNT, "MiB/s");
    check("W15.sum", atomic_load(&shared->sum) == expected);
  }
  atomic_store(&shared->round, -1);
  wait_for_child();
  wait_for_child();
  munmap(shared, 4096);
  munmap(buffers, 16 * SIZE);
}

struct filled { uint8_t *bytes; size_t size; };

static void *fill_half(void *argument) {
  struct filled *half = argument;
  memset(half->bytes, 3, half->size);
  return NULL;
}

static void shared_halves(int repetitions) {
  const size_t size = (size_t)512 << 20;
  uint8_t *bytes = map_memory(size, MAP_SHARED);
  memset(bytes, 1, size);
  for (int repetition = 0; repetition < repetitions; repetition++) {
    struct filled halves[2] = {{bytes, size / 2}, {bytes + size / 2, size / 2}};
    pthread_t thread;
    double start = now();
    if (pthread_create(&thread, NULL, fill_half, &halves[1])) fail("pthread_create");
    fill_half(&halves[0]);
    pthread_join(thread, NULL);
    report("W15.halves", now() - start, 512, "MiB/s");
    check("W15.halves", bytes[0] == 3 && bytes[size - 1] == 3);
  }
  munmap(bytes, size);
}

int main(int count, char **words) {
  const char *workload = count > 2 ? words[1] : "", *kind = "true";
  int repetitions = count > 2 ? atoi(words[2]) : 0;
  if (count > 3 && !strncmp(words[3], "kind=", 5)) kind = words[3] + 5;
  int is_kind = !strcmp(kind, "true") || !strcmp(kind, "echo") || !strcmp(kind, "shell");
  if (repetitions >= 1 && is_kind && count <= 4) {
    if (!strcmp(workload, "W1")) return tiny_map(repetitions), 0;
    if (!strcmp(workload, "W3")) {
      small_items("W3.ring.chunk1", 100000, 1, repetitions);
      small_items("W3.ring.default", 1000000, 1000, repetitions);
      return 0;
    }
    if (!strcmp(workload, "W4")) {
      large_payloads("W4.1MiB", 1 << 20, 1000, repetitions);
      large_payloads("W4.32MiB", 32 << 20, 100, repetitions);
      return 0;
    }
    if (!strcmp(workload, "W5")) return expensive_start(repetitions), 0;
    if (!strcmp(workload, "W6")) return start_and_stop(repetitions), 0;
    if (!strcmp(workload, "W15")) return shared_sums(repetitions), shared_halves(repetitions), 0;
    if (!strcmp(workload, "W9")) return shell_commands(kind, repetitions), 0;
  }
  fprintf(stderr, "usage: limits W1|W3|W4|W5|W6|W9|W15 REPS [kind=true|echo|shell]\n");
  return 64;
}
