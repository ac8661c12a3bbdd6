import Millrace
import MillraceIPC
import Testing

/// Workers with a set-up or tear-down of their own, or with none, in serial pools, where the caller does the work.
@Suite(.timeLimit(.minutes(1)))
struct PlainWorkersTests {
  @TaskLocal static var caller = 0

  private struct Plain: StatelessWorker {
    func process(_ item: Int) -> Int { item + PlainWorkersTests.caller }
  }

  private final class Seen: Sendable {
    let all = Lock<[String]>([])
    func note(_ what: String) { all.withLock { $0.append("\(what) \(PlainWorkersTests.caller)") } }
  }

  /// Its set-up is its own, its tear-down the protocol's.
  private struct Opening: Worker {
    static let seen = Seen()
    func setUp(_ context: WorkerContext) { Self.seen.note("opens") }
    func process(_ item: Int, state: inout Void) -> Int { item + PlainWorkersTests.caller }
  }

  /// The other way round, and its tear-down calls the set-up, which is the protocol's.
  private struct Closing: Worker {
    static let seen = Seen()
    func process(_ item: Int, state: inout Void) -> Int { item + PlainWorkersTests.caller }
    func tearDown(_ state: Void) {
      if let context = WorkerContext.current { setUp(context) }
      Self.seen.note("closes")
    }
  }

  private func run<W: Worker<Int, Int>>(_ worker: W) async throws -> [Int] {
    try await withWorkerPool(.serial) { pool in try await pool.map([1, 2], with: worker) }
  }

  @Test(
    "a worker's own set-up and tear-down see nothing of the caller's, in the first pool and in later ones; items do")
  func apart() async throws {
    for _ in 0..<5 {
      try await Self.$caller.withValue(10) {
        for output in [try await run(Plain()), try await run(Opening()), try await run(Closing())] {
          #expect(output == [11, 12])
        }
      }
    }
    #expect(Opening.seen.all.withLock { $0 } == Array(repeating: "opens 0", count: 5))
    #expect(Closing.seen.all.withLock { $0 } == Array(repeating: "closes 0", count: 5))
  }
}
