// Threads: their names.
#ifndef MILLRACE_THREAD_H
#define MILLRACE_THREAD_H

/// Names the calling thread; at most 15 bytes of the name are kept.
void millrace_thread_set_name(const char *name);

#endif
