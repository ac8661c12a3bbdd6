import Logging
import Millrace
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What items have seen of their cancellation, wherever they ran.
private struct Seen: Codable, Sendable, Equatable {
  /// Pools keep workers that are equal.
  private var id = UInt64.random(in: 0 ... .max)
  let begun: SharedCounter
  /// Cancellation handlers that ran, sleeps that threw, and items that found all of it to be so.
  let handled: SharedCounter
  let woken: SharedCounter
  let told: SharedCounter
  /// Set-ups and items that nobody had given up, and that were cancelled.
  let wrong: SharedCounter

  init() throws {
    (begun, handled, woken) = (try SharedCounter(), try SharedCounter(), try SharedCounter())
    (told, wrong) = (try SharedCounter(), try SharedCounter())
  }

  static func == (one: Seen, other: Seen) -> Bool { one.id == other.id }

  /// What is not given up looks at its task.
  func look() { if isCancelled { wrong.increment() } }

  private var isCancelled: Bool { Task.isCancelled || WorkerContext.current?.isCancelled != false }

  /// Sleeps until it is given up.
  func sleep() async throws {
    look()
    try await withTaskCancellationHandler {
      begun.increment()
      do { try await Task.sleep(for: .seconds(30)) } catch {
        woken.increment()
        if Task.isCancelled, WorkerContext.current?.isCancelled == true { told.increment() }
        throw error
      }
    } onCancel: {
      handled.increment()
    }
  }
}

/// Waits until the counter of other processes is there.
private func wait(for counter: SharedCounter, _ goal: Int) async {
  while counter.value < goal {
    sched_yield()
    await Task.yield()
  }
}

/// Does something that nobody waits for when it is given up.
private struct BadHandler: StatelessWorker, Codable {
  let seen: Seen
  let traps: Bool

  func process(_ item: Int) async throws -> Int {
    if item > 0 { return item }
    return try await withTaskCancellationHandler {
      seen.begun.increment()
      try await Task.sleep(for: .seconds(30))
      return item
    } onCancel: {
      if traps { fatalError("as asked") }
      while true { sleep(1_000) }
    }
  }
}

/// Where an item ran.
private struct Place: Codable, Hashable, Sendable {
  var pid = getpid()
  var slot = WorkerContext.current?.slot
}

/// Negative items sleep until they are given up, and 0 refuses when another one sleeps; all others say where they are.
private struct Sleeper: Worker, Codable, Equatable {
  let seen: Seen

  func setUp(_ context: WorkerContext) {}
  func process(_ item: Int, state: inout Void) async throws -> Place {
    if item < 0 { try await seen.sleep() }
    seen.look()
    if item == 0 {
      await wait(for: seen.begun, 1)
      throw Refused(item: item)
    }
    return Place()
  }
  func tearDown(_ state: Void) -> Bool {
    seen.look()
    return true
  }
}

/// Sleeps in its set-up, if there is a sleeper in it.
private struct SlowSetUp: Worker, Codable, Equatable {
  let seen: Seen
  let isSlow: Bool

  func setUp(_ context: WorkerContext) async throws { if isSlow { try await seen.sleep() } else { seen.look() } }
  func process(_ item: Int, state: inout Void) -> Place {
    seen.look()
    return Place()
  }
}

/// An item that cancels its own task, and says whether it was cancelled before, and where it ran.
private struct SelfCanceller: StatelessWorker, Codable {
  func process(_ item: Int) async throws -> String {
    let wasCancelled = Task.isCancelled || WorkerContext.current?.isCancelled != false
    if item % 3 == 0 { withUnsafeCurrentTask { $0?.cancel() } }
    return wasCancelled ? "cancelled" : "\(getpid()) \(WorkerContext.current?.slot ?? -1)"
  }
}

/// The same, for items and outputs that lie in memory as they are.
private struct NumberCanceller: StatelessWorker, Codable {
  func process(_ item: Int) -> UInt {
    let wasCancelled = Task.isCancelled || WorkerContext.current?.isCancelled != false
    if item % 3 == 0 { withUnsafeCurrentTask { $0?.cancel() } }
    // The thread is the executor that the slot's tasks prefer.
    return wasCancelled ? 0 : pthread_self()
  }
}

/// Is busy for so many microseconds, and says nothing; negative items say whether they were cancelled at any time.
private struct Busy: StatelessWorker, Codable, Equatable {
  let seen: Seen
  func process(_ item: Int) -> Int {
    if item >= 0 { seen.begun.increment() }
    let end = ContinuousClock.now + .microseconds(abs(item))
    repeat { if item < 0 { seen.look() } } while ContinuousClock.now < end
    return item
  }
}

extension Checked {
  /// The task of an item that is given up, and the tasks of those behind it.
  @Suite struct CancelledItems {
    private static let single = [
      WorkerPool.Backend.threads(1), .tasks(1), .processes(1), .processes(1, WorkerPool.ProcessOptions(start: .spawn)),
      .processes(1, WorkerPool.ProcessOptions(start: .fork)), .sockets(1),
    ].runnable
    private static let isolated = single.filter { $0.kind.abilities.contains(.survivesCrashes) }
    private static let silent = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
    private static let oneByOne = MapOptions(chunking: .size(1))

    @Test("U185: a cancelled map begins no further item, however long its chunks are", arguments: Backends.shared)
    func cancelledChunk(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let begun = CommonCounter()
        let task = Task {
          try await pool.map(0..<1_000, options: MapOptions(chunking: .size(500))) { item -> Int in
            begun.increment()
            if item == 0 { while !Task.isCancelled { await Task.yield() } }
            usleep(1_000)
            return item
          }
        }
        while begun.value == 0 { await Task.yield() }
        let before = begun.value
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        // Each slot may have been between two of them.
        #expect(begun.value <= before + 20, "\(begun.value)")
        #expect(try await pool.map(0..<3) { $0 } == [0, 1, 2])
      }
    }

    @Test("U178: the task of an item that is given up is cancelled, and its worker goes on", arguments: single)
    func isTold(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(30)) {
        let seen = try Seen()
        let worker = Sleeper(seen: seen)
        try await withWorkerPool(backend) { pool in
          let place = try await pool.map([1], with: worker)
          for round in 1...10 {
            let map = Task { try await pool.map([-1], with: worker) }
            await wait(for: seen.begun, round)
            map.cancel()
            await #expect(throws: CancellationError.self) { try await map.value }
            let next = try await pool.map(1...20, with: worker, options: Self.oneByOne)
            #expect(Set(next) == Set(place))
            #expect([seen.handled.value, seen.woken.value, seen.told.value] == [round, round, round])
          }
          #expect(try await pool.tearDown(worker).allSatisfy { try $0.result.get() })
        }
        #expect(seen.wrong.value == 0)
      }
    }

    /// How an item is given up.
    enum Way: String, CaseIterable, CustomTestStringConvertible {
      case failFast, leaving, submission, totalTime, pool
      var testDescription: String { rawValue }
    }

    private func giveUp(_ way: Way, _ worker: Sleeper, on pool: WorkerPool) async throws {
      switch way {
      case .failFast:
        await #expect(throws: ItemFailure.self) { try await pool.map([-1, 0], with: worker, options: Self.oneByOne) }
      case .leaving:
        for try await _ in pool.outputs(of: [1, -1], with: worker, order: .completion, options: Self.oneByOne) {
          await wait(for: worker.seen.begun, 1)
          break
        }
      case .submission:
        let submission = try pool.submit(-1, with: worker)
        await wait(for: worker.seen.begun, 1)
        submission.cancel()
        await #expect(throws: CancellationError.self) { try await submission.value }
      case .totalTime:
        var options = Self.oneByOne
        options.timeouts.total = .milliseconds(300)
        await #expect(throws: WorkerPoolError.self) { try await pool.map([-1], with: worker, options: options) }
      case .pool:
        let map = Task { try await pool.map([-1], with: worker) }
        await wait(for: worker.seen.begun, 1)
        try await pool.terminate()
        await #expect(throws: WorkerPoolError.self) { try await map.value }
      }
    }

    @Test(
      "U178: whyever it is given up",
      arguments: [WorkerPool.Backend.threads(2), .processes(2), Backends.crowded, Backends.forking, .sockets(2)]
        .runnable.each(
          with: Way.allCases))
    func whyever(backend: WorkerPool.Backend, way: Way) async throws {
      try await withDeadline(.seconds(20)) {
        let worker = Sleeper(seen: try Seen())
        let pool = try WorkerPool(backend)
        _ = try await pool.map([1], with: worker)
        try await giveUp(way, worker, on: pool)
        if way != .pool {
          await wait(for: worker.seen.told, worker.seen.begun.value)
          _ = try await pool.map(1...20, with: worker, options: Self.oneByOne)
          #expect(worker.seen.handled.value == worker.seen.begun.value)
          #expect(worker.seen.wrong.value == 0)
        }
        try await pool.shutdown()
      }
    }

    @Test("U178: the task of a set-up that nobody wants any more is cancelled, too", arguments: single)
    func setUps(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(20)) {
        let seen = try Seen()
        let slow = SlowSetUp(seen: seen, isSlow: true)
        let quick = SlowSetUp(seen: seen, isSlow: false)
        try await withWorkerPool(backend) { pool in
          for round in 1...5 {
            let map = Task { try await pool.map([1], with: slow) }
            await wait(for: seen.begun, round)
            map.cancel()
            await #expect(throws: CancellationError.self) { try await map.value }
            await wait(for: seen.told, round)
            _ = try await pool.map(1...20, with: quick, options: Self.oneByOne)
          }
        }
        #expect([seen.handled.value, seen.woken.value, seen.wrong.value] == [5, 5, 0])
      }
    }

    @Test(
      "U178: a cancellation handler that traps, or never returns, takes its worker with it, and nothing else",
      arguments: (isolated + [Backends.crowded].runnable).each(with: [true, false]))
    func badHandlers(backend: WorkerPool.Backend, traps: Bool) async throws {
      try await withDeadline(.seconds(30)) {
        let seen = try Seen()
        let worker = BadHandler(seen: seen, traps: traps)
        try await withWorkerPool(backend, logger: Self.silent) { pool in
          for round in 1...2 {
            let map = Task { try await pool.map([0], with: worker) }
            await wait(for: seen.begun, round)
            map.cancel()
            await #expect(throws: CancellationError.self) { try await map.value }
            let next = try await pool.map(1...20, with: worker, options: Self.oneByOne)
            #expect(next == Array(1...20))
          }
        }
      }
    }

    @Test("U179: an item that cancels its own task cancels no other one", arguments: single)
    func cancelsItself(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(30)) {
        try await withWorkerPool(backend) { pool in
          let places = try await pool.map(0..<300, with: SelfCanceller(), options: Self.oneByOne)
          #expect(!places.contains("cancelled"))
          #expect(Set(places).count == 1)
          let threads = try await pool.map(0..<3_000, with: NumberCanceller(), options: Self.oneByOne)
          #expect(!threads.contains(0))
          if Self.isolated.contains(where: { "\($0)" == "\(backend)" }) { #expect(Set(threads).count == 1) }
          // One after the other, so that it waits for each.
          for item in 0..<20 {
            let place = try await pool.map([item * 3], with: SelfCanceller())
            #expect(place == [places[0]])
          }
        }
      }
    }

    @Test("U178: an item that ends when it is cancelled takes no other one with it", arguments: single)
    func race(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(50)) {
        let seen = try Seen()
        let worker = Busy(seen: seen)
        try await withWorkerPool(backend) { pool in
          _ = try await pool.map([-1], with: worker)
          for round in 1...150 {
            let duration = round * 37 % 400
            let map = Task { try await pool.map([duration], with: worker) }
            await wait(for: seen.begun, round)
            // It waits in the lane, behind the one that is given up.
            let next = Task { try await pool.map((0..<8).map { _ in -20 }, with: worker, options: Self.oneByOne) }
            let end = ContinuousClock.now + .microseconds(duration * (round % 5) / 2)
            while ContinuousClock.now < end {}
            map.cancel()
            if case .failure(let error) = await map.result { #expect(error is CancellationError) }
            #expect(try await next.value.count == 8)
          }
        }
        #expect(seen.wrong.value == 0)
      }
    }
  }
}
