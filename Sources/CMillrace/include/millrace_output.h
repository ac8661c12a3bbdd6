// Standard output.
#ifndef MILLRACE_OUTPUT_H
#define MILLRACE_OUTPUT_H

/// Makes the C library hand on what is printed line by line, also to a pipe.
void millrace_output_by_lines(void);

/// Prints, as `fwrite` to `stdout` does: 0, or the number of the error.
int millrace_print(const void *bytes, unsigned long count);

/// Hands on what was printed and kept back: 0, or the number of the error.
int millrace_flush_output(void);

/// Writes all of it to a descriptor, also a non-blocking one; a reader that is gone is no error and sends no signal.
void millrace_write_all(int descriptor, const void *bytes, unsigned long count);

/// One `write`, of which no SIGPIPE comes: a reader that is gone is -1 and EPIPE.
long millrace_write_quietly(int descriptor, const void *bytes, unsigned long count);

/// Makes reads and writes of a descriptor fail with EAGAIN where they would wait.
void millrace_set_nonblocking(int descriptor);

/// Whether there is something to be read from a pipe now; its end is not.
int millrace_has_data(int descriptor);

/// How many bytes lie in a pipe; -1 if it is none.
int millrace_unread_bytes(int pipe);

#endif
