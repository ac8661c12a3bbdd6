// Signals as bytes in a pipe.
#ifndef MILLRACE_SIGNALS_H
#define MILLRACE_SIGNALS_H

/// From now on each SIGINT and SIGTERM of the process writes its number, one byte, to the descriptor (non-blocking).
/// The handlers of before are kept. 0, or errno; EBUSY if somebody watches already.
int millrace_signals_watch(int descriptor);

/// Puts the handlers of before back.
void millrace_signals_unwatch(void);

#endif
