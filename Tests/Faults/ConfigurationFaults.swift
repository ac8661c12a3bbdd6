import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Counts how many of its kind there are.
private struct Scale: Worker, Hashable {
  var factor: Int
  let alive: CommonCounter

  func setUp(_ context: WorkerContext) { alive.increment() }
  func process(_ item: Int, state: inout Void) -> Int { item * factor }
  func tearDown(_ state: Void) { alive.set(alive.value - 1) }

  static func == (left: Scale, right: Scale) -> Bool { left.factor == right.factor }
  func hash(into hasher: inout Hasher) { hasher.combine(factor) }
}

/// The same, known by what it is encoded as.
private struct Encoded: StatelessWorker, Codable {
  var factor: Int
  func process(_ item: Int) -> Int { item * factor }
}

/// Asks its pool for its width when it is compared.
private struct Curious: StatelessWorker, Equatable {
  var number: Int
  let pool: WorkerPool

  func process(_ item: Int) -> Int { item + number }

  static func == (left: Curious, right: Curious) -> Bool {
    left.pool.width == right.pool.width && left.number == right.number
  }
}

extension Faults {
  /// Pools that see ever new configurations of a worker.
  @Suite struct Configurations {
    @Test("U18: of two thousand configurations few stay, and what is used again is not set up again")
    func many() async throws {
      let alive = CommonCounter()
      try await withWorkerPool(.threads(1)) { pool async throws in
        for factor in 0..<2_000 {
          #expect(try await pool.map([1], with: Scale(factor: factor, alive: alive)) == [factor])
          #expect(alive.value <= 18)
        }
        for _ in 0..<20 { _ = try await pool.map([1], with: Scale(factor: 1_999, alive: alive)) }
        #expect(alive.value <= 17)
      }
      #expect(alive.value == 0)
    }

    @Test(
      "U18: where each configuration has a process of its own, a hundred need no more descriptors than a few", .forks,
      arguments: [WorkerPool.ProcessOptions.Start.fork, .forkServer])
    func descriptors(start: WorkerPool.ProcessOptions.Start) async throws {
      try await withWorkerPool(.processes(2, WorkerPool.ProcessOptions(start: start))) { pool async throws in
        var counts: [Int] = []
        for factor in 0..<100 {
          #expect(try await pool.map(0..<4, with: Encoded(factor: factor)) == (0..<4).map { $0 * factor })
          counts.append(try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count)
        }
        #expect(counts[20...].max()! <= counts[..<20].max()! + 24, "\(counts)")
      }
    }

    @Test("U18: a worker that uses its pool when it is compared does not stand in its own way", .timeLimit(.minutes(1)))
    func curious() async throws {
      try await withWorkerPool(.threads(2)) { pool async throws in
        for number in [1, 2, 1, 2] {
          #expect(try await pool.map([1], with: Curious(number: number, pool: pool)) == [1 + number])
        }
      }
    }

    @Test("U18: a worker that made room and came back can be waited for")
    func tearDownOfReturned() async throws {
      let alive = CommonCounter()
      try await withWorkerPool(.threads(1)) { pool async throws in
        for factor in [0] + Array(1...40) + [0] {
          _ = try await pool.map([1], with: Scale(factor: factor, alive: alive))
        }
        let before = alive.value
        _ = try await pool.tearDown(Scale(factor: 0, alive: alive))
        #expect(alive.value < before)
      }
    }
  }
}
