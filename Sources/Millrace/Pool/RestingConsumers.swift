/// Consumers that rest, each with the time at which it goes on.
package struct RestingConsumers: ~Copyable {
  private var waiters: [(time: UInt64, waiter: UnsafeContinuation<Void, Never>)] = []

  package init() {}

  package var isEmpty: Bool { waiters.isEmpty }
  package var count: Int { waiters.count }
  /// When the first goes on.
  package var first: UInt64? { waiters.lazy.map(\.time).min() }

  package mutating func add(_ waiter: UnsafeContinuation<Void, Never>, until time: UInt64) {
    waiters.append((time, waiter))
  }

  package mutating func takeAll() -> [UnsafeContinuation<Void, Never>] { take(until: .max) }

  package mutating func take(until time: UInt64) -> [UnsafeContinuation<Void, Never>] {
    if waiters.isEmpty { return [] }
    let due = waiters.filter { $0.time <= time }.map(\.waiter)
    waiters.removeAll { $0.time <= time }
    return due
  }
}
