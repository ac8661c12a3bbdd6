import MillraceIPC
import Testing

@testable import Millrace

private struct Unshown: ProgressReporter {
  func report(_ state: ProgressState) {}
}

/// Bars of maps in worker processes, as the program shows them.
@Suite("Progress: bars of worker processes")
struct NestedBarTests {
  private final class Marker {}

  private let device = MemoryDevice()
  private let pool = Marker()
  private let other = Marker()

  private func source(_ pool: Marker, _ process: UInt64) -> RemoteProgress.Source {
    RemoteProgress.Source(pool: ObjectIdentifier(pool), process: process)
  }

  private func record(
    _ map: Int, slot: Int?, _ name: String, _ done: Int, of total: Int? = 10, phase: ProgressState.Phase = .running
  ) -> ProgressRecord {
    ProgressRecord(
      map: map, slot: slot, style: .bar(),
      state: ProgressState(name: name, done: done, total: total, phase: phase))!
  }

  private func tracker(_ name: String, _ pool: Marker, _ board: ProgressBoard) -> ProgressCounter {
    let counter = ProgressCounter(total: 4)
    let tracker = ProgressTracker(
      .bar(name), counter, observation: nil, board: board, at: 0, pool: ObjectIdentifier(pool))
    tracker.follow(JobID(1))
    return counter
  }

  private func names() -> [String] { device.shown.map { String($0.split(separator: "%")[0]) } }

  @Test("they stand under those of their pool, by slot, and go when they end, without a line left")
  func order() {
    let board = ProgressBoard(device, hasThread: false)
    let first = tracker("first", pool, board)
    let second = tracker("second", other, board)
    board.take(record(1, slot: 1, "b", 5), from: source(pool, 7))
    board.take(record(1, slot: 0, "", 1), from: source(pool, 6))
    board.take(record(2, slot: 3, "c", 2), from: source(other, 1))
    board.look(at: 1_000_000_000)
    #expect(names() == ["first   0", "#0  10", "#1 b  50", "second   0", "#3 c  20"])
    board.take(record(1, slot: 1, "b", 8), from: source(pool, 7))
    board.take(record(1, slot: 0, "", 10, phase: .complete), from: source(pool, 6))
    board.look(at: 1_100_000_000)
    #expect(names() == ["#0 100", "first   0", "#1 b  80", "second   0", "#3 c  20"])
    // A process dies in the middle of its map.
    board.end(source(pool, 7))
    board.look(at: 1_200_000_000)
    #expect(device.shown[1].contains("cancelled"))
    board.look(at: 1_300_000_000)
    #expect(names() == ["#0 100", "#1 b  80", "first   0", "second   0", "#3 c  20"])
    for counter in [first, second] { counter.isOver(at: 1_300_000_000) }
    board.look(at: 1_400_000_000)
    #expect(names().last == "#3 c  20" && device.isTidy)
  }

  @Test(
    "U262: a map knows the map in whose item it is begun, of those that are shown the innermost",
    .timeLimit(.minutes(1)),
    arguments: [WorkerPool.Backend.serial, .tasks(2), .threads(2)])
  func parents(backend: WorkerPool.Backend) async throws {
    @Sendable func parent(_ pool: WorkerPool) -> Int? { ProgressStyle.bar("x").tracker(pool.core, total: nil)?.parent }
    let shown = MapOptions(progress: .custom(Unshown()))
    try await withWorkerPool(backend) { pool in
      #expect(parent(pool) == nil)
      let found = try await pool.map(0..<3, options: shown) { _ -> [Int?] in
        let outer = parent(pool)
        // One that is not shown is passed over, one that is is the next.
        let middle = try await pool.map(0..<1) { _ in
          [parent(pool)] + (try await pool.map(0..<1, options: shown) { _ in parent(pool) })
        }
        // And in another pool.
        let apart = try await withWorkerPool(.tasks(1)) { other in try await other.map(0..<1) { _ in parent(other) } }
        return [outer] + middle[0] + apart
      }
      for parents in found {
        #expect(parents.count == 4 && parents[0] != nil && parents[1] == parents[0] && parents[3] == parents[0])
        #expect(parents[2] != nil && parents[2] != parents[0])
      }
      #expect(Set(found.map(\.[0])).count == 1 && Set(found.map(\.[2])).count == 3)
      // Not shown, and so nobody's parent.
      let none = try await pool.map(0..<1) { _ in parent(pool) }
      #expect(none == [nil])
    }
  }

  @Test("a record comes as it went, and what is none is refused")
  func records() {
    let styles: [ProgressStyle] = [.bar("ä\n%"), .compact, .lines("l", unit: "u"), .json]
    for style in styles {
      let state = ProgressState(
        name: style.name, unit: style.unit, done: 3, failed: 1, retried: 2, total: nil, elapsed: .milliseconds(1_234),
        rate: 0.1, remaining: .seconds(5), phase: .failed)
      let record = ProgressRecord(map: 7, slot: nil, style: style, state: state)!
      #expect(record.bytes.last == UInt8(ascii: "\n") && record.bytes.count { $0 < 0x20 } == 17)
      #expect(ProgressRecord(record.bytes.dropFirst().dropLast()) == record)
      #expect(LogRecord(record.bytes.dropFirst().dropLast()) == nil)
      // Nothing of it is told as what a worker has said.
      #expect(LogRecord.readable("a\n" + String(decoding: record.bytes, as: UTF8.self) + "b") == "a\nb")
      for count in 0..<record.bytes.count - 2 { #expect(ProgressRecord(record.bytes.dropFirst().prefix(count)) == nil) }
    }
    #expect(ProgressRecord(map: 1, slot: 1, style: .none, state: ProgressState()) == nil)
    #expect(ProgressRecord(Array("progress and more".utf8)) == nil)
  }
}
