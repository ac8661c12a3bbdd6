import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Quick items, and behind them slow ones.
private struct FastThenSlow: StatelessWorker, Codable {
  var slowFrom: Int

  func process(_ item: Int) -> Int {
    if item >= slowFrom { usleep(2_000) }
    return item
  }
}

/// The first item waits for the last, which another worker has to run.
private struct FirstWaitsForLast: StatelessWorker, Codable {
  var folder: String
  var last: Int

  func process(_ item: Int) -> String {
    let mark = "\(folder)/\(last)"
    if item == last { _ = FileManager.default.createFile(atPath: mark, contents: nil) }
    if item == 0 { while access(mark, F_OK) != 0 { sched_yield() } }
    return "\(item)"
  }
}

/// Outputs of each kind: lines of any length, some of which need memory of their own, and errors.
private struct Assortment: StatelessWorker, Codable {
  func process(_ item: Int) throws -> String {
    usleep(200)
    if item % 7 == 3 { throw Misfortune() }
    return Self.text(item)
  }

  static func text(_ item: Int) -> String {
    String(repeating: "\(item % 10)", count: item % 50 == 1 ? 100_000 : item % 90)
  }
}

extension Faults {
  /// A chunk that a worker process has begun is shared with one that has nothing to do, and what was handed ahead is taken back.
  @Suite(.forks) struct SharedChunks {
    @Test(
      "U10: after a fast start, slow items are shared by the worker processes",
      arguments: [Backends.spawning, Backends.forking])
    func fastStart(backend: WorkerPool.Backend) async throws {
      let (fast, slow) = (300_000, 400)
      try await withWorkerPool(backend) { pool async throws in
        var counts: [Int: Int] = [:]
        // Of a length that nobody knows, so that chunks do not get smaller towards the end.
        let items = sequence(first: 0) { $0 + 1 < fast + slow ? $0 + 1 : nil }
        for try await outcome in pool.outcomes(of: items, with: FastThenSlow(slowFrom: fast), order: .completion)
        where outcome.index >= fast {
          #expect(try outcome.result.get() == outcome.index)
          counts[outcome.slot, default: 0] += 1
        }
        #expect(counts.values.reduce(0, +) == slow)
        #expect(counts.count == 2 && counts.values.min()! > slow / 5, "\(counts)")
      }
    }

    @Test(
      "U10: an item that waits for all that are behind it in its chunk holds no worker process up",
      arguments: [Backends.spawning, Backends.forking, .processes(3)])
    func behindASlowItem(backend: WorkerPool.Backend) async throws {
      let folder = NSTemporaryDirectory() + "/millrace-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try await withWorkerPool(backend) { pool async throws in
        for round in 0..<10 {
          let worker = FirstWaitsForLast(folder: folder, last: 20 + round)
          let options = MapOptions(chunking: .size(100))
          #expect(
            try await pool.map(0..<21 + round, with: worker, options: options) == (0..<21 + round).map { "\($0)" })
        }
      }
    }

    @Test(
      "U10: of a chunk that is shared each item runs once, whatever its outcome",
      arguments: [Backends.spawning, .processes(3)])
    func outcomes(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var (next, slots) = (0, Set<Int>())
        let options = MapOptions(chunking: .size(2_000))
        for try await outcome in pool.outcomes(of: 0..<2_000, with: Assortment(), options: options) {
          #expect(outcome.index == next)
          next += 1
          slots.insert(outcome.slot)
          switch outcome.result {
          case .success(let text): #expect(outcome.index % 7 != 3 && text == Assortment.text(outcome.index))
          case .failure: #expect(outcome.index % 7 == 3)
          }
        }
        #expect(next == 2_000 && slots.count == pool.width)
      }
    }

    @Test("U10: a worker that dies in a chunk that was shared costs its item alone", .forks, arguments: 0..<6)
    func crash(round: Int) async throws {
      let runs = CommonCounter()
      try await withWorkerPool(.processes(2)) { pool async throws in
        let victim = 37 * round
        let outcomes = pool.outcomes(of: 0..<300, options: MapOptions(chunking: .size(300))) { item in
          runs.increment()
          usleep(500)
          if item == victim { _exit(3) }
          return item
        }
        var next = 0
        for try await outcome in outcomes {
          #expect(outcome.index == next)
          next += 1
          if outcome.index == victim {
            #expect(throws: ItemFailure.self) { try outcome.result.get() }
          } else {
            #expect(try outcome.result.get() == outcome.index)
          }
        }
        #expect(next == 300)
      }
      #expect(runs.value == 300)
    }

    @Test(
      "U10: a short item does not wait behind a long one, nor where what was run before was short", .forks,
      arguments: [0, 1, 1_000])
    func shortBehindLong(warmUp: Int) async throws {
      try await withWorkerPool(.processes(2)) { pool async throws in
        _ = try await pool.map(0..<warmUp) { $0 }
        let done = CommonCounter()
        let outputs = try await pool.map(0..<3, options: MapOptions(chunking: .size(1))) { item in
          if item == 1 { done.increment() } else { await done.wait(for: 1) }
          return item
        }
        #expect(outputs == [0, 1, 2])
      }
    }

    @Test(
      "U10: what is behind an item that takes long is run before what comes later, though no worker is idle", .forks)
    func recalled() async throws {
      try await withWorkerPool(.processes(2)) { pool async throws in
        let done = CommonCounter()
        // There is always more to do, until the item behind the long one has been run.
        let items = sequence(first: 0) { done.value == 0 ? $0 + 1 : nil }
        var count = 0
        let outcomes = pool.outcomes(of: items, order: .completion, options: MapOptions(chunking: .size(1))) { item in
          if item == 500 { await done.wait(for: 1) }
          if item == 501 { done.increment() }
          if item > 501 { usleep(1_000) }
          return item
        }
        for try await _ in outcomes { count += 1 }
        #expect(count > 501)
      }
    }
  }
}
