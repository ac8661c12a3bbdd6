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

    @Test(
      "M15: thirteen tasks, from 0 to 13 of 13, on every backend",
      arguments: Backends.Conforming.all.able(.runsClosures))
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

    @Test(
      "U71: items count when they are done, also in the middle of a chunk",
      arguments: [WorkerPool.Backend.serial, .threads(1), .threads(2), .tasks(2)])
    func inTheMiddle(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let kept = Kept()
        let options = MapOptions(chunking: .size(100), progress: .custom(kept))
        let outputs = try await pool.map(0..<100, options: options) { item in
          // The middle waits until what was before it has been told.
          if item == 50 { while (kept.all.last?.done ?? 0) < 50 { try await Task.sleep(for: .milliseconds(1)) } }
          return item
        }
        #expect(outputs == Array(0..<100) && kept.all.last?.done == 100)
        let done = kept.all.map(\.done)
        #expect(zip(done, done.dropFirst()).allSatisfy { $0 <= $1 })
      }
    }

    @Test("U71: what is done in a chunk is not told twice, whatever fails in it")
    func inTheMiddleOfFailures() async throws {
      try await withWorkerPool(.threads(2)) { pool in
        let kept = Kept()
        let options = MapOptions(chunking: .size(40), progress: .custom(kept))
        let items = pool.outcomes(of: 0..<80, options: options) { (item: Int) -> Int in
          if item % 4 == 0 { throw Refusal() }
          if item % 40 == 39 {
            while (kept.all.last?.finished ?? 0) < 39 { try await Task.sleep(for: .milliseconds(1)) }
          }
          return item
        }
        for try await _ in items {}
        #expect(kept.all.allSatisfy { $0.done <= 60 && $0.failed <= 20 && ($0.fraction ?? 0) <= 1 })
        #expect(kept.all.last?.done == 60 && kept.all.last?.failed == 20)
        let done = kept.all.map(\.done)
        #expect(zip(done, done.dropFirst()).allSatisfy { $0 <= $1 })
      }
    }

    @Test(
      "U257: what the last short maps have to show is shown when the program ends", .forks,
      arguments: ["serial", "threads", "forkServer"])
    func brief(backend: String) async throws {
      let (lines, code) = try await onPlainThread {
        let shell = ["sh", "-c", "exec \"$@\" 2>&1 >/dev/null", "sh"]
        let program = try TestProgram(["brief", backend], through: shell)
        return (program.rest(), program.wait())
      }
      let ends = lines.filter { $0.hasSuffix(" done") }.map { $0.prefix { $0 != "%" }.dropLast(4) }
      #expect(ends == (0..<20).map { "map \($0)" } && code == 0, "\(lines)")
    }

    @Test(
      "nothing is written where nobody wants to see it", .forks, arguments: ["serial", "threads", "forkServer", "fork"])
    func silent(backend: String) async throws {
      let (lines, code) = try await onPlainThread {
        // Its standard error is what is read.
        let shell = ["sh", "-c", "exec \"$@\" 2>&1 >/dev/null", "sh"]
        let program = try TestProgram(["silent", backend], through: shell)
        return (program.rest(), program.wait())
      }
      #expect(lines == [] && code == 0)
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

    @Test("failed items count, attempts that are followed by another do not", arguments: Backends.Conforming.all)
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

    @Test(
      "what maps in worker processes show comes out of the program, with the slot", .forks,
      arguments: ["forkServer", "spawn", "fork"])
    func nestedBars(place: String) async throws {
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram(["nestedBars", place])
        return (program.rest(), program.wait())
      }
      #expect(code == 0 && lines.contains("[45, 55, 65, 75]"))
      let ends = lines.filter { $0.contains("\"done\":10") && $0.contains("\"phase\":\"complete\"") }
      for slot in 0..<2 {
        #expect(ends.count { $0.hasPrefix("{\"name\":\"#\(slot) inner\"") } == 2, "\(lines)")
      }
      #expect(lines.count { $0.hasPrefix("{\"name\":\"outer\"") && $0.contains("complete") } == 1)
      #expect(lines.last?.contains("last") == true)
    }

    @Test(
      "a map in a worker process that shows its progress goes on, whatever the program's standard error is",
      arguments: Backends.isolating)
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
