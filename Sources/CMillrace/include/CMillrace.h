// C shims of Millrace: what Swift cannot say itself (fork, futex, pidfd, memfd, affinity, the worker bootstrap).
// One header a subject; this one only gathers them.
#ifndef CMILLRACE_H
#define CMILLRACE_H

#include "millrace_box.h"
#include "millrace_copies.h"
#include "millrace_crash.h"
#include "millrace_descriptor.h"
#include "millrace_executors.h"
#include "millrace_host.h"
#include "millrace_image.h"
#include "millrace_job.h"
#include "millrace_launch.h"
#include "millrace_lock.h"
#include "millrace_output.h"
#include "millrace_poller.h"
#include "millrace_program.h"
#include "millrace_ring.h"
#include "millrace_shared.h"
#include "millrace_signals.h"
#include "millrace_socket.h"
#include "millrace_tree.h"

#endif
