#ifndef MILLRACE_MAIN_QUEUE_H
#define MILLRACE_MAIN_QUEUE_H

/// A descriptor that can be read when libdispatch's main queue has something to do; -1 where there is none, or no descriptor is left.
/// It is libdispatch's. Any thread.
int millrace_main_queue_descriptor(void);

/// Does what the main queue has to do, if it has. On the thread that the process began with.
void millrace_main_queue_serve(int descriptor);

#endif
