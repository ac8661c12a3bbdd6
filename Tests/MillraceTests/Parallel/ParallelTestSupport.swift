import MillraceIPC
import Synchronization

@testable import Millrace

// Lock and not Mutex, because the thread sanitizer sees through it.

/// Counters that many threads may step.
final class Counters: Sendable {
  private let counts: Lock<[Int]>

  init(_ count: Int) { counts = Lock(Array(repeating: 0, count: count)) }

  func add(at index: Int) { counts.withLock { $0[index] += 1 } }
  var values: [Int] { counts.withLock { $0 } }
}

/// Counts its living instances.
final class Tracked: Sendable {
  /// The count of one test, so that tests may run side by side.
  final class Census: Sendable {
    private let living = Atomic<Int>(0)
    private let everMade = Atomic<Int>(0)
    var alive: Int { living.load(ordering: .sequentiallyConsistent) }
    var made: Int { everMade.load(ordering: .sequentiallyConsistent) }
    fileprivate func born() {
      living.add(1, ordering: .sequentiallyConsistent)
      everMade.add(1, ordering: .sequentiallyConsistent)
    }
    fileprivate func died() { living.subtract(1, ordering: .sequentiallyConsistent) }
  }

  let number: Int
  private let census: Census

  init(_ number: Int, in census: Census) {
    self.number = number
    self.census = census
    census.born()
  }

  deinit { census.died() }
}

/// Opens once; who waits before sleeps.
///
/// A real gate for real threads.
final class Gate: Sendable {
  private let opened = Atomic<Bool>(false)
  var isOpen: Bool { opened.load(ordering: .acquiring) }
  func open() { opened.store(true, ordering: .releasing) }
}

/// The largest number of callers that were inside at once.
final class Crowd: Sendable {
  private let state = Lock((inside: 0, most: 0))

  func enter() {
    state.withLock {
      $0.inside += 1
      $0.most = max($0.most, $0.inside)
    }
  }

  func leave() { state.withLock { $0.inside -= 1 } }
  var most: Int { state.withLock { $0.most } }
}

struct Refused: Error, Equatable { var index: Int }
