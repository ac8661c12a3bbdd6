/// What makes two workers equal, so that instances of the one may run the items of the other.
///
/// To compare two may run `==` of the user's type: never under a lock.
struct WorkerIdentity: Sendable {
  /// The same for equal workers, and seldom for others.
  struct Fingerprint: Hashable, Sendable {
    fileprivate let type: ObjectIdentifier
    fileprivate let hash: Int
  }

  private enum Content: Sendable {
    /// All workers of the type are equal.
    case none
    case value(EquatableWorker)
    case bytes([UInt8])
  }

  let fingerprint: Fingerprint
  private let content: Content

  /// Nil if the worker is equal to none but itself.
  init?<W: Worker>(_ worker: W) {
    var hash = 0
    if MemoryLayout<W>.size == 0 {
      content = .none
    } else if let equatable = worker as? any Equatable {
      content = .value(EquatableWorker(equatable))
      // Those that cannot be hashed are all looked at.
      if let hashable = worker as? any Hashable { hash = hashable.hashValue }
    } else if let encoded = try? encodedWorker(worker) {
      content = .bytes(encoded)
      hash = encoded.hashValue
    } else {
      return nil
    }
    fingerprint = Fingerprint(type: ObjectIdentifier(W.self), hash: hash)
  }

  func isSame(as other: WorkerIdentity) -> Bool {
    guard fingerprint == other.fingerprint else { return false }
    return switch (content, other.content) {
    case (.none, .none): true
    case (.value(let mine), .value(let theirs)): mine.equals(theirs.value)
    case (.bytes(let mine), .bytes(let theirs)): mine == theirs
    default: false
    }
  }
}

/// An equatable worker; it is `Sendable` because every worker is.
private struct EquatableWorker: @unchecked Sendable {
  let value: any Equatable
  init(_ value: any Equatable) { self.value = value }

  func equals(_ other: Any) -> Bool {
    func compare<E: Equatable>(_ value: E) -> Bool { (other as? E) == value }
    return compare(value)
  }
}
