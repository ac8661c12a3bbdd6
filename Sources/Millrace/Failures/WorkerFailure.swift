/// A worker died, or took too long, before it could run an item: in its set-up, or when it was started.
///
/// It is the ``WorkerPoolError/underlying`` error of a ``WorkerPoolError`` of kind ``WorkerPoolError/Kind-swift.enum/setUpFailed`` or
/// ``WorkerPoolError/Kind-swift.enum/cannotStart``, and what ``ItemFailure/Cause-swift.enum/setUpFailed(_:)`` carries then.
public struct WorkerFailure: Error, Sendable, CustomStringConvertible {
  /// How the worker ended.
  public var cause: ItemFailure.Cause
  /// The last lines that the worker wrote to its standard error, with Swift's backtrace after a trap; empty if nothing.
  public var standardError: String

  /// Creates a failure.
  public init(_ cause: ItemFailure.Cause, standardError: String = "") {
    self.cause = cause
    self.standardError = standardError
  }

  /// The cause, and the line of a fatal error.
  public var description: String {
    guard let line = standardError.fatalErrorLine else { return "\(cause)" }
    return "\(cause), \"\(line)\""
  }
}
