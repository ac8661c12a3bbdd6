#include "millrace_copies.h"
#include <pthread.h>
#include <unistd.h>
#include "millrace_launch.h"

uint32_t millrace_forks;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static millrace_watched *first;
static pthread_once_t watches = PTHREAD_ONCE_INIT;

// Held over the fork, so that the copy finds the list whole.
static void before(void) { pthread_mutex_lock(&lock); }
static void in_the_original(void) { pthread_mutex_unlock(&lock); }

static void in_the_copy(void) {
  millrace_forks++;
  for (millrace_watched *place = first; place; place = place->next)
    __atomic_fetch_or(place->word, place->bits, __ATOMIC_RELAXED);
  pthread_mutex_unlock(&lock);
}

static void watch(void) { pthread_atfork(before, in_the_original, in_the_copy); }

void millrace_copies_watch(millrace_watched *place, uint64_t *word, uint64_t bits) {
  pthread_once(&watches, watch);
  pthread_mutex_lock(&lock);
  *place = (millrace_watched){.next = first, .link = &first, .word = word, .bits = bits};
  if (first) first->link = &place->next;
  first = place;
  pthread_mutex_unlock(&lock);
}

void millrace_copies_forget(millrace_watched *place) {
  pthread_mutex_lock(&lock);
  *place->link = place->next;
  if (place->next) place->next->link = place->link;
  pthread_mutex_unlock(&lock);
}

void millrace_copy_end(void) {
  static const char words[] =
      "millrace: this copy of the program, made by fork in an item that has returned in it as well, ends here\n";
  ssize_t written = write(STDERR_FILENO, words, sizeof words - 1);
  (void)written;
  _exit(MILLRACE_EXIT_LOST);
}
