import Dispatch
import Millrace
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What belongs to the main actor of whatever process it is.
@MainActor private enum Counter {
  static var count = 0
  static func next() -> Int {
    MainActor.assertIsolated()
    count += 1
    return count
  }
}

/// Goes to the main actor in its set-up, with each item, and in its tear-down.
private struct Commutes: Worker, Codable {
  var ledger: LineLedger

  func setUp(_ context: WorkerContext) async -> Int { await MainActor.run { Counter.next() } }

  func process(_ item: Int, state: inout Int) async -> Int {
    let here = DispatchQueue.main.sync { getpid() }
    let count = await Counter.next()
    return here == getpid() && count > state ? item * 2 : -1
  }

  func tearDown(_ state: consuming Int) async {
    let count = await Counter.next()
    ledger.note(count > 0 ? "left" : "lost")
  }
}

/// Keeps the main actor for ever with one item.
private struct Occupies: StatelessWorker, Codable {
  func process(_ item: Int) async -> Int {
    await MainActor.run {
      while item == 3 { usleep(1_000) }
      return item
    }
  }
}

/// All of it belongs to the main actor.
@MainActor private final class Board {
  static let shared = Board()
  private var marks: [Int: Int] = [:]
  func mark(_ item: Int) -> Int {
    marks[item, default: 0] += 1
    return marks[item]!
  }
}

private struct Marks: StatelessWorker, Codable {
  func process(_ item: Int) async -> Int { await Board.shared.mark(item) }
}

extension Faults {
  /// The main queue of worker processes is served.
  @Suite(.timeLimit(.minutes(1))) struct MainQueues {
    private static let backends = [WorkerPool.Backend.processes(1), .processes(3), Backends.spawning, Backends.crowded]

    @Test("a worker may go to the main actor and the main queue of its process", arguments: backends)
    func goes(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        for round in 1...3 {
          try await withWorkerPool(backend) { pool in
            let options = MapOptions(chunking: .size(1))
            let outputs = try await pool.map(0..<40, with: Commutes(ledger: ledger), options: options)
            #expect(outputs == (0..<40).map { $0 * 2 })
            #expect(try await pool.map(0..<2_000, with: Marks()).allSatisfy { $0 == 1 })
          }
          let left = try ledger.lines
          #expect(left.allSatisfy { $0 == "left" } && left.count >= round)
        }
      }
    }

    // Threads of one process share its main actor, and are held up by each other there.
    @Test("what keeps the main actor for ever is ended with its item", arguments: backends.dropLast())
    func occupies(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(300)))
        var failures: [Int] = []
        for try await outcome in pool.outcomes(of: 0..<8, with: Occupies(), options: options) {
          if case .failure(let failure) = outcome.result { failures.append(failure.index) }
        }
        #expect(failures == [3])
      }
    }
  }
}
