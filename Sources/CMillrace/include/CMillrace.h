// C shims of Millrace: what Swift cannot say itself (fork, futex, pidfd, memfd, affinity, the worker bootstrap).
// One header a subject; this one only gathers them.
#ifndef CMILLRACE_H
#define CMILLRACE_H

#include "millrace_host.h"
#include "millrace_job.h"

#endif
