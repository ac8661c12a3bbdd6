/// Why a pool, or one map on it, could not go on. Failures of single items are ``ItemFailure``.
///
/// Its text is `"\(error)"`, as that of every error of Millrace's; `localizedDescription` does not know it.
public struct WorkerPoolError: Error, Sendable, CustomStringConvertible {
  /// The kinds of trouble.
  @nonexhaustive
  public enum Kind: Sendable, Hashable {
    /// The pool was shut down or terminated.
    case closed
    /// No worker could be set up: it has failed again and again in every slot.
    case setUpFailed
    /// No slot gets a worker: none can be started, or those that are die at once, again and again. Or the system has no thread or
    /// descriptor for something else that is needed: to read the input, or to watch signals.
    case cannotStart
    /// The worker, an input or an output cannot be sent to another process.
    case notTransportable
    /// More items failed than ``MapOptions/maximumFailures`` allows.
    case tooManyFailures
    /// As many maps and submissions wait for a worker as the pool's `queueLimit` allows.
    case queueFull
    /// The map or submission was not done within ``MapOptions/Timeouts/total``.
    case timedOut
    /// No result within the limit that was set for waiting on the next one.
    case nextTimedOut
    /// Pools are nested deeper than allowed, or maps on one pool.
    case nestedTooDeep
    /// The pool was used in a worker process, which has only a copy of it.
    case foreignPool
    /// An item asked for the end of the pool that it runs in.
    case calledFromItem
  }

  /// What kind of trouble it is.
  public var kind: Kind
  /// What happened, to what, and what can be done.
  public var message: String
  /// The error behind it, if there is one: an ``ItemFailure``, ``WorkerFailure``, ``TransportError``, ``SystemError`` or another
  /// ``WorkerPoolError``; or what a set-up threw.
  public var underlying: (any Error)?
  /// The slot concerned, if there is one.
  public var slot: Int?

  /// Creates an error.
  public init(_ kind: Kind, _ message: String, underlying: (any Error)? = nil, slot: Int? = nil) {
    self.kind = kind
    self.message = message
    self.underlying = underlying
    self.slot = slot
  }

  /// The message, and what is behind it.
  public var description: String {
    guard let underlying else { return message }
    return "\(message): \(underlying.inWords)"
  }
}

/// Everything that failed in a map that ran to its end (`onFailure: .collect`).
public struct ItemFailures: Error, Sendable, CustomStringConvertible {
  /// The failures, in the order of their delivery; at most ``limit`` of them are kept.
  public var failures: [ItemFailure]
  /// How many items failed in all.
  public var count: Int
  /// How many failures are kept in ``failures``.
  public static let limit = 1_000

  /// How many failed, and the first of them.
  public var description: String {
    "\(count) items failed; the first: \(failures.first.map(String.init(describing:)) ?? "-")"
  }
}

extension WorkerPoolError {
  /// What ends the input of a stream, or of a pipeline, on a pool that shuts down.
  static var shutDownBeforeTheEnd: WorkerPoolError {
    WorkerPoolError(.closed, "the pool was shut down before the input's end")
  }
}
