import Millrace
import MillraceTesting
import Synchronization
import TestSupport
import Testing

/// Keeps all that it is told.
private final class Kept: ProgressReporter {
  private let states = Mutex<[ProgressState]>([])
  func report(_ state: ProgressState) { states.withLock { $0.append(state) } }
  var all: [ProgressState] { states.withLock { $0 } }
}

private struct Refusal: Error, Codable {}

/// Refuses every third item, and at first every second.
private struct PickyOfThirds: StatelessWorker, Codable {
  func process(_ item: Int) throws -> Int {
    if item % 3 == 0 || (item % 2 == 0 && WorkerContext.current?.attempt == 1) { throw Refusal() }
    return item
  }
}

private struct ShownAsIs: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item }
}

extension Checked {
  /// A map says how far it is.
  @Suite struct Progress {
    private func options(_ reporter: Kept, retry: MapOptions.Retry = .never) -> MapOptions {
      MapOptions(retry: retry, progress: .custom(reporter, name: "squares", unit: "numbers"))
    }

    @Test("M15: thirteen tasks, from 0 to 13 of 13, on every backend", arguments: Backends.all)
    func thirteen(backend: WorkerPool.Backend) async throws {
      let reporter = Kept()
      try await withWorkerPool(.threads(2)) { pool in
        // The first look comes before any item is done.
        _ = try await pool.map(0..<13, options: options(reporter)) { item in
          if item == 0 { while reporter.all.isEmpty { await Task.yield() } }
          return item
        }
      }
      #expect(reporter.all.first?.fraction.map { $0 < 1 } == true)
      let kept = Kept()
      try await withWorkerPool(backend) { pool in
        let outputs = try await pool.map(0..<13, with: ShownAsIs(), options: options(kept))
        #expect(outputs == Array(0..<13))
        // The map returns when the last has been told.
        let last = try #require(kept.all.last)
        #expect(last.phase == .complete && last.done == 13 && last.total == 13 && last.fraction == 1)
        #expect(last.name == "squares" && last.unit == "numbers" && last.failed == 0)
        #expect(pool.observerCount == 0)
      }
      #expect(kept.all.filter { $0.phase != .running }.count == 1)
    }

    @Test("M15: input without items; a length that becomes known")
    func lengths() async throws {
      try await withWorkerPool(.threads(2)) { pool in
        let empty = Kept()
        _ = try await pool.map([Int](), options: options(empty)) { $0 }
        #expect(empty.all.last?.total == 0 && empty.all.last?.fraction == 1)

        let unknown = Kept()
        let items = AsyncStream<Int> { continuation in
          for item in 0..<20 { continuation.yield(item) }
          continuation.finish()
        }
        try await pool.forEach(items, options: options(unknown)) { item in
          if item == 0 { while unknown.all.isEmpty { await Task.yield() } }
          return item
        }
        #expect(unknown.all.last?.total == 20 && unknown.all.last?.done == 20)
      }
    }

    @Test("failed items count, attempts that are followed by another do not", arguments: Backends.all)
    func failures(backend: WorkerPool.Backend) async throws {
      let kept = Kept()
      try await withWorkerPool(backend) { pool in
        for try await _ in pool.outcomes(of: 0..<60, with: PickyOfThirds(), options: options(kept, retry: .upTo(1))) {}
      }
      let last = try #require(kept.all.last)
      // 20 of 60 are multiples of three, each tried twice, and 20 of the others are even.
      #expect(last.done == 40 && last.failed == 20 && last.retried == 40)
      #expect(kept.all.allSatisfy { ($0.fraction ?? 0) <= 1 })
    }

    @Test("however a map ends, that is told before its caller hears of it")
    func ends() async throws {
      try await withWorkerPool(.threads(2)) { pool in
        let failed = Kept()
        await #expect(throws: ItemFailure.self) {
          try await pool.map(0..<10, options: options(failed)) { if $0 == 5 { throw Refusal() } }
        }
        #expect(failed.all.last?.phase == .failed)

        let left = Kept()
        for try await output in pool.outputs(of: 0..., options: options(left), { $0 }) where output == 100 { break }
        #expect(left.all.last?.phase == .cancelled)
        #expect(left.all.last?.total == nil)

        let cancelled = Kept()
        let task = Task { try await pool.map(0..<1_000_000, options: options(cancelled)) { _ in await Task.yield() } }
        while cancelled.all.isEmpty { await Task.yield() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(cancelled.all.last?.phase == .cancelled)

        let refused = Kept()
        await #expect(throws: InvalidOption.self) {
          try await pool.map(0..<3, options: MapOptions(count: -1, progress: .custom(refused))) { $0 }
        }
        #expect(refused.all.isEmpty)
        #expect(pool.observerCount == 0)
      }
    }

    @Test("several maps at once, each with its own; and a pool that is terminated under them")
    func several() async throws {
      let pool = try WorkerPool(.threads(2))
      let reporters = (0..<4).map { _ in Kept() }
      await withTaskGroup(of: Void.self) { group in
        for (number, reporter) in reporters.enumerated() {
          group.addTask { try? await pool.forEach(0..<(number + 1) * 50, options: options(reporter)) { $0 } }
        }
      }
      #expect(reporters.map { $0.all.last?.done } == [50, 100, 150, 200])
      let endless = Kept()
      let task = Task { try await pool.forEach(0..., options: options(endless)) { _ in await Task.yield() } }
      while endless.all.isEmpty { await Task.yield() }
      try await pool.terminate()
      await #expect(throws: WorkerPoolError.self) { try await task.value }
      #expect(endless.all.last?.phase == .cancelled)
    }

    @Test("in a worker process nothing is shown, and nothing hangs", arguments: Backends.isolating)
    func inWorkers(backend: WorkerPool.Backend) async throws {
      let outer = Kept()
      try await withWorkerPool(backend) { pool in
        let outputs = try await pool.map(0..<4, with: WithInnerBar(), options: options(outer))
        #expect(outputs == [45, 45, 45, 45])
      }
      #expect(outer.all.last?.done == 4)
    }
  }
}

/// Has a pool of its own, with a bar.
private struct WithInnerBar: StatelessWorker, Codable {
  func process(_ item: Int) async throws -> Int {
    try await withWorkerPool(.threads(1)) { pool in
      try await pool.map(0..<10, options: MapOptions(progress: .bar("inner"))) { $0 }.reduce(0, +)
    }
  }
}
