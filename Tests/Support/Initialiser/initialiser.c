// A library that prints when it is loaded, and when the program ends, if it is asked to: what of it do workers repeat?
#include "initialiser.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void initialiser_link(void) {}

static void leave(void) {
  static const char text[] = "left\n";
  ssize_t written = write(STDOUT_FILENO, text, sizeof text - 1);
  (void)written;
}

__attribute__((constructor)) static void initialise(void) {
  // A program sets this for those that it starts.
  if (getenv("MILLRACE_TEST_STUCK")) sleep(1000);
  if (!getenv("MILLRACE_TEST_INITIALISER")) return;
  // To a pipe or a file, this stays in the buffer.
  printf("initialised\n");
  atexit(leave);
}
