// Signals as bytes in a pipe.
#ifndef MILLRACE_SIGNALS_H
#define MILLRACE_SIGNALS_H

/// From now on each SIGINT and SIGTERM of the process writes its number, one byte, to the descriptor (non-blocking).
/// The handlers of before are kept. 0, or errno; EBUSY if somebody watches already.
int millrace_signals_watch(int descriptor);

/// Whether something else than Millrace handles the signal now; not, if it has its default action or is ignored.
int millrace_signals_handled(int number);

/// Whether the signal does not come to the watcher any more: somebody has put another handler in its place.
int millrace_signals_lost(int number);

/// Lets the calling thread take SIGINT and SIGTERM, whatever mask it has inherited.
void millrace_signals_unblock(void);

/// Puts the handlers of before back, but for those that somebody else has replaced.
void millrace_signals_unwatch(void);

#endif
