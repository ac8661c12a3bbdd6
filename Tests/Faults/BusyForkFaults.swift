import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

private struct Row: Sendable {
  var number: Int
  var text: String
}

/// A mutex of the C library's, as libraries have them.
private final class ForeignLock: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  init() { pthread_mutex_init(mutex, nil) }

  deinit { mutex.deallocate() }

  func withLock<R>(_ body: () -> R) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Takes it on a thread of its own, until the counter that is returned is set.
  func hold() throws -> CommonCounter {
    let (isHeld, isOver) = (CommonCounter(), CommonCounter())
    try startThread("holder") {
      self.withLock {
        isHeld.increment()
        while isOver.value == 0 { usleep(1_000) }
      }
    }
    while isHeld.value == 0 { usleep(1_000) }
    return isOver
  }
}

extension Faults {
  /// Forks of a program whose other threads hold what the child needs.
  @Suite(.forks, .timeLimit(.minutes(1))) struct BusyForks {
    @Test(
      "a worker that was forked while another thread asked for the name of a type is replaced",
      arguments: [WorkerPool.Backend.processes(1), Backends.forking, .sockets(1)])
    func names(backend: WorkerPool.Backend) async throws {
      try await fork(on: backend) { _ = String(reflecting: [Row].self).count }
    }

    @Test(
      "U164: an item that meets a lock which another thread of the program held at the fork is run by another fork",
      arguments: forks)
    func held(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(30)) {
        let lock = ForeignLock()
        let holder = try lock.hold()
        let forked = CommonCounter()
        try await withWorkerPool(backend) { pool async throws in
          let map = Task {
            try await pool.map(0..<8) { item in
              forked.increment()
              return lock.withLock { item * item }
            }
          }
          await forked.wait(for: 1)
          holder.set(1)
          #expect(try await map.value == (0..<8).map { $0 * $0 })
        }
        #expect(forked.value > 8)
      }
    }

    @Test("U164: if the lock is never given back, the item fails, and says why", arguments: forks)
    func heldForEver(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(50)) {
        let lock = ForeignLock()
        let holder = try lock.hold()
        defer { holder.set(1) }
        try await withWorkerPool(backend) { pool async throws in
          var failed: [Int] = []
          for try await outcome in pool.outcomes(
            of: 0..<8, options: MapOptions(chunking: .size(4)),
            { item in item == 2 ? lock.withLock { item } : item })
          {
            guard case .failure(let failure) = outcome.result else { continue }
            failed.append(outcome.index)
            #expect("\(failure)".contains("waits for a lock that another thread of the program held"), "\(failure)")
          }
          #expect(failed == [2])
        }
      }
    }

    @Test("U164: who waits for a thread of the worker's own, however long, is left alone", arguments: forks)
    func ownLock(backend: WorkerPool.Backend) async throws {
      let lock = ForeignLock()
      let begun = CommonCounter()
      try await withWorkerPool(backend) { pool async throws in
        let outputs = try await pool.map(0..<2) { item in
          begun.increment()
          let holder = try lock.hold()
          try startThread("giver") {
            usleep(1_800_000)
            holder.set(1)
          }
          return lock.withLock { item }
        }
        #expect(outputs == [0, 1] && begun.value == 2)
      }
    }

    private static let forks = [WorkerPool.Backend.processes(2), Backends.forking]

    /// Maps whose closures are forked while two threads do this all the time.
    private func fork(on backend: WorkerPool.Backend, beside busy: @escaping @Sendable () -> Void) async throws {
      let (isOver, ended) = (CommonCounter(), CommonCounter())
      for number in 0..<2 {
        try startThread("busy-\(number)") {
          while isOver.value == 0 { busy() }
          ended.increment()
        }
      }
      defer {
        isOver.set(1)
        while ended.value < 2 { sched_yield() }
      }
      try await withWorkerPool(backend) { pool in
        // Each closure has a fork of its own.
        for round in 0..<20 {
          let rows = try await pool.map(0..<4) {
            Row(number: $0 + round, text: "\($0)")
          }
          #expect(rows.map(\.number) == Array(round..<round + 4))
        }
      }
    }
  }
}
