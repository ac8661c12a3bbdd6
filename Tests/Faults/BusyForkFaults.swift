import Dispatch
import Millrace
import MillraceIPC
import MillraceTesting
import Synchronization
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

/// Locks of the C library's, as libraries have them.
final class ForeignLock: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  private let both = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_rwlock_init(both, nil)
  }

  deinit {
    mutex.deallocate()
    both.deallocate()
  }

  func withWriteLock<R>(_ body: () -> R) -> R {
    pthread_rwlock_wrlock(both)
    defer { pthread_rwlock_unlock(both) }
    return body()
  }

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

/// What a thread of the program is in while it is forked.
enum Occupied: Sendable, CustomTestStringConvertible {
  case actor(Busy)
  case queue(DispatchQueue)
  case readersAndWriters(ForeignLock)
  case swiftMutex(Guarded)

  static var all: [Occupied] {
    [.actor(Busy()), .queue(DispatchQueue(label: "busy")), .readersAndWriters(ForeignLock()), .swiftMutex(Guarded())]
  }

  actor Busy {
    func work(_ body: () -> Void) { body() }
    func ask() -> Int { 1 }
  }

  final class Guarded: Sendable {
    let value = Mutex(1)
  }

  var testDescription: String {
    switch self {
    case .actor: "an actor"
    case .queue: "a queue"
    case .readersAndWriters: "a lock of readers and writers"
    case .swiftMutex: "a Mutex"
    }
  }

  func occupy(isHeld: CommonCounter, isOver: CommonCounter) throws {
    let body = { @Sendable in
      isHeld.increment()
      while isOver.value == 0 { usleep(1_000) }
    }
    switch self {
    case .actor(let busy): Task.detached { await busy.work(body) }
    case .queue(let queue): queue.async(execute: body)
    case .readersAndWriters(let lock): try startThread("writer") { lock.withWriteLock(body) }
    case .swiftMutex(let guarded): try startThread("holder") { guarded.value.withLock { _ in body() } }
    }
  }

  func use() async -> Int {
    switch self {
    case .actor(let busy): await busy.ask()
    case .queue(let queue): queue.sync { 1 }
    case .readersAndWriters(let lock): lock.withWriteLock { 1 }
    case .swiftMutex(let guarded): guarded.value.withLock { $0 }
    }
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
            #expect("\(failure)".contains("waits for what another thread of the program held"), "\(failure)")
          }
          #expect(failed == [2])
        }
      }
    }

    @Test(
      "U175: so is one that meets what another thread was just doing: an actor, a queue, a lock of any make",
      arguments: Occupied.all, forks)
    func occupied(_ what: Occupied, backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(30)) {
        let (isHeld, isOver, forked) = (CommonCounter(), CommonCounter(), CommonCounter())
        try what.occupy(isHeld: isHeld, isOver: isOver)
        while isHeld.value == 0 { try await Task.sleep(for: .milliseconds(1)) }
        try await withWorkerPool(backend) { pool async throws in
          let map = Task {
            try await pool.map(0..<4) { item in
              forked.increment()
              return await what.use() + item
            }
          }
          await forked.wait(for: 1)
          try await Task.sleep(for: .milliseconds(100))
          isOver.set(1)
          #expect(try await map.value == [1, 2, 3, 4])
        }
      }
    }

    @Test("U175: an item that waits for a thread that is not there fails, and says so", arguments: forks)
    func neverSignalled(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(50)) {
        let semaphore = DispatchSemaphore(value: 0)
        try await withWorkerPool(backend) { pool async throws in
          let error = await #expect(throws: ItemFailure.self) {
            try await pool.map([0]) { _ in semaphore.wait() }
          }
          #expect("\(String(describing: error))".contains("waits for what another thread of the program held"))
          #expect(try await pool.map(0..<4) { $0 } == [0, 1, 2, 3])
        }
      }
    }

    @Test("U175: items that wait for time, for a file or for each other are left alone", arguments: forks)
    func patient(backend: WorkerPool.Backend) async throws {
      let begun = CommonCounter()
      try await withWorkerPool(backend) { pool async throws in
        let outputs = try await pool.map(0..<4) { item in
          begun.increment()
          switch item {
          case 0: try await Task.sleep(for: .milliseconds(1_700))
          case 1: usleep(1_700_000)
          case 2:
            let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
            let task = Task.detached {
              try? await Task.sleep(for: .milliseconds(1_700))
              continuation.finish()
            }
            for await _ in stream {}
            await task.value
          default:
            try await withWorkerPool(.threads(2)) { inner in
              _ = try await inner.map(0..<2) { _ in usleep(1_700_000) }
            }
          }
          return item
        }
        #expect(outputs == [0, 1, 2, 3] && begun.value == 4)
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
