import Foundation
import Millrace
import MillraceTesting
import Testing

/// The documents of vimap, parmapper and MPIRE, from the first line to the last: each of their snippets in its Swift form does what it says.
@Suite(.forks, .serialized, .leakChecked, .timeLimit(.minutes(1)))
struct DocumentSnippetTests {
  static let backends = SnippetRunTests.backends

  @Test func vimap() async throws {
    typealias V = VimapDocumentSnippets
    #expect(try await V.doubling([1, 2, 3, 4]).sorted() == [2, 4, 6, 8])
    #expect(
      try await V.pages().sorted() == [
        "<title>http://www.google.com/</title>", "<title>http://www.yahoo.com/</title>",
      ])
    let products = try await V.indices(1..<1_000)
    #expect(zip(1..<1_000, products).allSatisfy { $1 == $0 || $1 == 2_000 * $0 })
    let path = SnippetTests.root.appending(path: "LICENSE").path
    for backend in Self.backends {
      try await withWorkerPool(backend) { (pool) async throws in
        #expect(try await pool.map([0, 1], with: V.Search(path: path)) == [1, 1])
        let (outputs, pairs) = try await V.iterating(pool, [1, 2, 3])
        #expect(outputs.sorted() == [2, 4, 6] && pairs == [1: 2, 2: 4, 3: 6])
        let documents = [V.Document(title: "a", text: "One two"), V.Document(title: "b", text: "three")]
        #expect(try await V.pretransformed(pool, documents) == ["a": 2, "b": 1])
      }
    }
  }

  @Test("vimap's FileRunner: a function over files, results and failures as JSON")
  func files() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "files-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try Data("one two".utf8).write(to: directory.appending(path: "a.txt"))
    try Data([0xFF, 0xFE, 0xFF]).write(to: directory.appending(path: "b.txt"))
    try Data("no".utf8).write(to: directory.appending(path: "c.md"))
    let json = try await VimapDocumentSnippets.fileRunner(directory)
    let report = try JSONDecoder().decode(VimapDocumentSnippets.Report.self, from: json)
    #expect(report.words.map { ($0.key.suffix(5) + " \($0.value)") } == ["a.txt 2"])
    #expect(report.failures.count == 1 && report.failures.keys.first?.hasSuffix("b.txt") == true)
  }

  @Test(arguments: backends)
  func parmapper(_ backend: WorkerPool.Backend) async throws {
    typealias P = ParmapperDocumentSnippets
    let items = Array(0..<10)
    let increments = Array(1...10)
    #expect(P.inOneLine(items) == increments)
    #expect(P.anySequence(stride(from: 0, to: 4, by: 1)) == [0, 1, 4, 9])
    for (n, threads) in [(1, false), (2, true), (2, false)] {
      #expect(try await P.anyBackend(items, n, threads: threads) == increments)
    }
    try await withWorkerPool(backend) { (pool) async throws in
      let rows = try await P.keywords(pool, items, items.map { $0 * 10 }, 7)
      #expect(
        rows.map { $0[1] } == ["1 10 0 false true", "1 0 0 false true", "1 10 0 false true", "1 10 7 false false"])
      #expect(rows[3][2] == "2 20 7 true false" && rows.allSatisfy { $0.count == 10 })
      #expect(try await P.progress(pool, items) == increments)
      let data = AsyncStream<Int> { continuation in
        for item in 0..<3 { continuation.yield(item) }
        continuation.finish()
      }
      #expect(try await P.postprocessed(pool, data) == ["1", "4", "9"])
      #expect(try await P.chunksOnAPool(pool, [4, 9, 16, 25, 36]) == [2, 3, 4, 5, 6])
    }
  }

  @Test func mpireAlone() async throws {
    typealias M = MpireDocumentSnippets
    #expect(try await M.byHand() == (0..<100).map { $0 * $0 })
    try await M.inAHurry()
    // Most machines have fewer CPUs: a pool that is bound to those that are not there is refused.
    #expect(M.pinned().count == 5)
  }

  @Test(arguments: backends)
  func mpire(_ backend: WorkerPool.Backend) async throws {
    typealias M = MpireDocumentSnippets
    let squares = (0..<100).map { $0 * $0 }
    let products = zip(0..<100, 100..<200).map { $0 * $1 }
    try await withWorkerPool(backend) { (pool) async throws in
      #expect(try await M.maps(pool) == (squares, products))
      #expect(try await M.chunked(pool) == [squares, squares, squares])
      #expect(try await M.active(pool, 81) == 285)
      #expect(try await M.lifespan(pool) == squares)
      #expect(try await M.twoFunctions(pool) == (squares, squares, products))
      #expect(try await M.results(pool) == squares.map { Float($0) })
      let (first, second, remainders) = try await M.twoContainers(pool)
      #expect(first == squares.map { Float($0) } && second == (0..<100).map { Float(2 * $0) })
      #expect(remainders == (0..<100).map { $0 % 2 })
      #expect(try await M.byWorker(pool) == 328_350)
    }
  }
}
