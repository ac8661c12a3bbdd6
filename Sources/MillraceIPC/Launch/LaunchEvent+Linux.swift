#if os(Linux)
/// What the fork server has to tell.
///
/// A token is the launch's name, chosen by the caller.
package enum LaunchEvent: Sendable {
  case started(token: UInt64, ChildProcess)
  case failed(token: UInt64, SystemCallError)
  /// After `started`. Everything that the worker had started has been killed by now.
  case exited(token: UInt64, ProcessExit)
  /// The last event. The workers are gone, or go in a moment; no `exited` comes for them, but their descriptors tell.
  case serverDied
}
#endif
