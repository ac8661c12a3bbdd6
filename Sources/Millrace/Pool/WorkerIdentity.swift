/// What makes two workers equal, so that instances of the one may run the items of the other.
struct WorkerIdentity: Sendable {
  private let type: any Any.Type
  private let isEqual: @Sendable (Any) -> Bool

  /// Nil if the worker is equal to none but itself.
  init?<W: Worker>(_ worker: W) {
    type = W.self
    if MemoryLayout<W>.size == 0 {
      isEqual = { $0 is W }
    } else if let equatable = worker as? any Equatable {
      let worker = EquatableWorker(equatable)
      isEqual = { worker.equals($0) }
    } else if let encoded = try? encodedWorker(worker) {
      isEqual = { other in (other as? W).flatMap { try? encodedWorker($0) } == encoded }
    } else {
      return nil
    }
  }

  func isEqual<W: Worker>(to worker: W) -> Bool { type == W.self && isEqual(worker) }
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
