import MillraceIPC

/// The system refused something that a pool needed: memory, a descriptor, a thread, a process.
///
/// It is the ``WorkerPoolError/underlying`` error of a ``WorkerPoolError`` of kind ``WorkerPoolError/Kind-swift.enum/cannotStart``, or of an
/// item that could not be sent (``ItemFailure/Cause-swift.enum/undecodable(_:)``).
public struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was asked of the system: the name of the call, such as `fork`, or what it was for.
  public var call: String
  /// The number of the error (`errno`), such as `EMFILE`.
  public var code: Int32

  /// Creates an error.
  public init(_ call: String, _ code: Int32) {
    self.call = call
    self.code = code
  }

  /// Whether the system had not enough of something for it.
  var isForWant: Bool { SystemCallError(call, code).isForWant }

  /// The call, the system's text for the number, and the number.
  public var description: String { SystemCallError(call, code).description }
}
