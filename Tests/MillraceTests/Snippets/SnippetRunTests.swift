import Foundation
import Millrace
import MillraceTesting
import Testing

/// The snippets of the documents do what the documents say.
@Suite(.forks, .serialized, .leakChecked, .timeLimit(.minutes(1)))
struct SnippetRunTests {
  static let backends: [WorkerPool.Backend] = [.serial, .threads(2), .processes(2)]

  @Test("P2, P3: every row of parmapper's table", arguments: backends)
  func parmapperTable(_ backend: WorkerPool.Backend) async throws {
    typealias P = ParmapperSnippets
    let fixed = P.Settings(scale: 2, label: "fixed")
    try await withWorkerPool(backend) { (pool) async throws in
      #expect(try await P.plain(pool, [1, 2], 9, fixed) == ["[1, 9] 2 fixed", "[2, 9] 2 fixed"])
      #expect(try await P.star(pool, [1, 2], [3, 4], 9, fixed) == ["[1, 3, 9] 2 fixed", "[2, 4, 9] 2 fixed"])
      #expect(try await P.kwstar(pool, [1, 2], [5, 6], 9, fixed) == ["[1, 9] 5 fixed", "[2, 9] 6 fixed"])
      #expect(
        try await P.starKwstar(pool, [1, 2], [3, 4], [5, 6], 9, fixed) == ["[1, 3, 9] 5 fixed", "[2, 4, 9] 6 fixed"])
      #expect(try await P.none(pool, 9, fixed) == Array(repeating: "[9] 2 fixed", count: 10))
      #expect(try await P.noneKwstar(pool, [5, 6], 9, fixed) == ["[9] 5 fixed", "[9] 6 fixed"])
    }
  }

  @Test func changesThatAreClosures() async throws {
    try await withWorkerPool(.threads(2)) { (pool) async throws in
      let results = try await ParmapperSnippets.differentChanges(pool, [1, 2], .init(scale: 2, label: "fixed"))
      #expect(results == ["[1] 7 fixed", "[2] 2 last"])
    }
  }

  @Test func tuplesTravelIfTheirPartsDo() async throws {
    final class Reference: Sendable {}
    try await withWorkerPool(.processes(1)) { (pool) async throws in
      let texts = try await pool.map(zip([1, 2], ["a", "b"])) { number, text in "\(number)\(text)" }
      #expect(texts == ["1a", "2b"])
      let error = await #expect(throws: WorkerPoolError.self) {
        try await pool.map(zip([1], [Reference()])) { number, _ in number }
      }
      #expect(error?.kind == .notTransportable)
    }
  }

  @Test(arguments: backends)
  func parmapperRest(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { (pool) async throws in
      #expect(ParmapperSnippets.loops([1, 2, 3]) == [1, 4, 9])
      let lines = AsyncStream<String> { continuation in
        for line in ["1", "x", "3"] { continuation.yield(line) }
        continuation.finish()
      }
      #expect(try await ParmapperSnippets.chain(pool, lines) == ["1", "9"])
      let results = try await ParmapperSnippets.returned(pool, Array(0...5))
      #expect(results.map { try? $0.get() } == [0, 1, 2, nil, 4, 5])
      guard case .failure(let failure) = results[3] else { return }
      #expect(failure.index == 3)
      #expect(failure.underlying is ParmapperSnippets.Unlucky)
      #expect(try await ParmapperSnippets.background(pool) == 500_500)
    }
    #expect(ParmapperSnippets.vectorised([4, 9, 16]) == [2, 3, 4])
    #expect(try await ParmapperSnippets.processes([1, 2, 3]) == [1, 4, 9])
  }

  @Test func vimap() async throws {
    #expect(try await VimapSnippets.doubling().sorted() == [2, 4, 6, 8])
    let path = SnippetTests.root.appending(path: "LICENSE").path
    let lines = try await VimapSnippets.resources([0, 1], path)
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let first = text.prefix { $0 != "\n" }
    #expect(Set(lines) == [String(first), String(text.dropFirst().prefix { $0 != "\n" })])
    try await withWorkerPool(.processes(2)) { (pool) async throws in
      #expect(try await VimapSnippets.pairs(pool, [1, 2, 3, 4]) == [2: 1, 4: 2])
      let words = text.split(whereSeparator: \.isWhitespace).count
      #expect(try await VimapSnippets.folding(pool, [path, path]) == 2 * words)
      #expect(
        try await pool.map([4, 4, 4], with: VimapSnippets.Tagged(), order: .completion).allSatisfy { 5...6 ~= $0 })
    }
  }

  @Test func mpire() async throws {
    let squares = (0..<100).map { $0 * $0 }
    #expect(try await MpireSnippets.squares() == squares)
    #expect(try await MpireSnippets.exits() == 50)
    #expect(MpireSnippets.sharedCounter() == 1_000)
    #expect(MpireSnippets.slices([2, 4]) == [1, 2])
    for backend in Self.backends {
      try await withWorkerPool(backend) { (pool) async throws in
        let slots = try await MpireSnippets.workerID(pool)
        #expect(slots.allSatisfy { 0..<pool.width ~= $0 })
        #expect(try await MpireSnippets.shared(pool, ["a": 1], ["a", "b"]) == [1, nil])
        #expect(try await MpireSnippets.chunking(pool) == (1...100).map { $0 * $0 })
        #expect(try await MpireSnippets.single(pool) == (4_950, 4_950))
        #expect(try await MpireSnippets.severalAtOnce(pool, ["a", "bc"]) == ([1, 2], ["A", "BC"]))
        #expect(try await MpireSnippets.nested(pool, [[1, 2], [3]]) == [[2, 3], [4]])
      }
    }
  }

  @Test func choosingABackend() async throws {
    try BackendSnippets.backends()
    #expect(BackendSnippets.total([1, 2, 3]) == 6)
    #expect(try await BackendSnippets.doubled([1, 2]) == [2, 4])
    #expect(try await BackendSnippets.waiting(["a", "bc"]) == [1, 2])
  }

  @Test func resizing() async throws {
    try await withWorkerPool(BackendSnippets.processes()) { (pool) async throws in
      #expect(pool.width == 4)
      #expect(try await BackendSnippets.resizing(pool, Array(0..<100)) == Array(1...100))
      #expect(pool.width == 8)
    }
  }

  @Test func failures() async throws {
    try await withWorkerPool(.processes(2)) { (pool) async throws in
      let lines = try await FailureSnippets.switching(pool, ["20", "x", "0", "50"])
      #expect(lines == ["20: 5", "no number: x", "item 2 ended its worker: trap", "50: 2"])
    }
  }

  @Test func policies() async throws {
    try await withWorkerPool(.processes(2)) { (pool) async throws in
      #expect(try await FailureSnippets.policies(pool, ["10", "20"]) == [10, 5, 10, 5, 10, 5])
      #expect(try await FailureSnippets.cancellable(pool, [4]) == [6])
    }
  }

  @Test func signals() async throws {
    #expect(try await FailureSnippets.signals(["10"]) == [10])
  }

  @Test func overview() async throws {
    #expect(OverviewSnippets.oneLine([1, 2]) == [1, 4])
    #expect(try await OverviewSnippets.pool(["a", "bcd"]) == ([1, 3], 3))
    let path = SnippetTests.root.appending(path: "LICENSE").path
    try await OverviewSnippets.words(of: [path])
    let bytes = try await withWorkerPool(.processes(2)) { (pool) async throws in
      try await pool.map([0, 1, 2], with: OverviewSnippets.Query(path: "/proc/self/exe"))
    }
    #expect(bytes == [0x7F, 0x45, 0x4C])
  }

  @Test("U36: what a server makes of failures", arguments: backends)
  func server(_ backend: WorkerPool.Backend) async throws {
    let pool = try WorkerPool(backend)
    #expect(try await ServerSnippets.page(pool, "a") == "<p>a</p>")
    #expect(try await pool.map(["x", "y"], with: Numbered()) == ["0: x", "1: y"])
    let refused = await #expect(throws: ItemFailure.self) { try await ServerSnippets.page(pool, "") }
    #expect(ServerSnippets.status(of: try #require(refused)) == 422)
    try await pool.shutdown()
    let closed = await #expect(throws: WorkerPoolError.self) { try await ServerSnippets.page(pool, "a") }
    #expect(ServerSnippets.status(of: try #require(closed)) == 503)
    #expect(ServerSnippets.status(of: CancellationError()) == 499)
    let late = ItemFailure(index: 0, slot: 0, attempt: 1, cause: .timedOut(limit: .seconds(2)))
    #expect(ServerSnippets.status(of: late) == 504)
  }

  @Test("U36: a limit on the whole has a status of its own")
  func overdue() async throws {
    try await withWorkerPool(.threads(1)) { pool async throws in
      let options = ItemOptions(timeouts: MapOptions.Timeouts(total: .milliseconds(20)))
      let error = await #expect(throws: WorkerPoolError.self) {
        try await pool.run(0, options: options) { _ in try await Task.sleep(for: .seconds(60)) }
      }
      #expect(ServerSnippets.status(of: try #require(error)) == 504)
    }
  }
}
