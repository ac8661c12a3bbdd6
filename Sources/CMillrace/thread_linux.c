#ifdef __linux__
#include "millrace_thread.h"
#include <sys/prctl.h>

void millrace_thread_set_name(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
#endif
