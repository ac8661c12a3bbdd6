#include "millrace_lock.h"

_Thread_local int millrace_thread_locks = 0;
_Thread_local void *millrace_thread_leftovers = 0;
