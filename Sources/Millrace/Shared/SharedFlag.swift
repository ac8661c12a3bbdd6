import MillraceIPC

/// A flag that the program and its workers set, clear and wait for.
///
/// ```swift
/// let isReady = try SharedFlag()
/// ```
///
/// To wait blocks the thread: on every backend but `.serial` an item may do so, for its slot is its own.
public struct SharedFlag: Sendable {
  let block: SharedBlock

  /// A flag.
  ///
  /// - Throws: ``SystemError`` if there is no memory or no descriptor for it.
  public init(_ isSet: Bool = false) throws {
    block = try SharedObject.make(.flag, bytes: 8, hasLock: true, name: "SharedFlag")
    if isSet { set() }
  }

  /// Counts the changes: what those who wait sleep on.
  private var turns: SharedTurns { SharedTurns(block, word: 0) }
  private var word: UnsafeMutablePointer<UInt64> { block.header.word(1) }

  /// Whether it is set now.
  public var isSet: Bool { read { $0 } }

  /// Sets it, and wakes all who wait for that.
  public func set() { change(to: 1) }

  /// Clears it.
  public func clear() { change(to: 0) }

  /// Waits until it is set.
  public func wait() { _ = wait(until: MonotonicTime.never) }

  /// Waits until it is set, or so long; whether it is set.
  public func wait(for duration: Duration) -> Bool {
    wait(until: MonotonicTime.now &+ min(duration.nanoseconds, .max / 4))
  }

  private func wait(until deadline: UInt64) -> Bool {
    while true {
      let turn = turns.current
      if isSet { return true }
      guard turns.wait(for: turn, until: deadline) else { return isSet }
    }
  }

  private func read<R>(_ body: (Bool) -> R) -> R {
    let lock = SharedGuard(block, name: "SharedFlag")
    defer { lock.end() }
    return body(word.pointee != 0)
  }

  private func change(to value: UInt64) {
    let lock = SharedGuard(block, name: "SharedFlag")
    defer { lock.end() }
    // Whoever is woken waits for the lock. So a process that dies in between has changed nothing, or all know.
    turns.next()
    word.pointee = value
  }
}

extension SharedFlag: InCommonMemory {}

extension SharedFlag: Codable {
  /// What came from another process: only Millrace's own coder for workers can bring it.
  public init(from decoder: any Decoder) throws {
    block = try SharedObject.decode(from: decoder, SharedObject.Kind.flag.signature(), name: "SharedFlag")
  }

  /// Names it to another process, for Millrace's own coder for workers; throws a ``TransportError`` for any other.
  public func encode(to encoder: any Encoder) throws {
    try SharedObject.encode(block, to: encoder, name: "SharedFlag")
  }
}
