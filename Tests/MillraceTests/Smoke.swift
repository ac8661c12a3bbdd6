import Millrace
import Testing

struct Square: Worker {
  func process(_ item: Int, _ state: inout Void) -> Int { item * item }
}

@Suite(.timeLimit(.minutes(1)))
struct Smoke {
  static let backends: [Backend] = [.serial, .tasks(2), .threads(2), .threads(5), .processes(2), .processes(1)]

  @Test(arguments: backends)
  func maps(_ backend: Backend) async throws {
    try await withWorkerPool(backend) { pool in
      #expect(try await pool.map(0..<1000, Square()) == (0..<1000).map { $0 * $0 })
      #expect(try await pool.map(0..<1000) { $0 + 1 } == Array(1...1000))
      #expect(try await pool.mapUnordered((0..<1000).lazy.map { $0 }) { $0 + 1 }.sorted() == Array(1...1000))
      #expect(try await pool.map([Int](), Square()).isEmpty)
      var n = 0
      for try await x in pool.stream(0...) { $0 } {
        #expect(x == n)
        n += 1
        if n == 100 { break }
      }
      var count = 0
      for try await outcome in pool.outcomes(of: 0..<100, options: MapOptions(), { (i: Int) throws -> Int in if i % 10 == 3 { throw CancellationError() }; return i }) {
        #expect(outcome.index == outcome.input)
        if case .failure = outcome.result { count += 1 }
      }
      #expect(count == 10)
      await #expect(throws: ItemFailure.self) { try await pool.map(0..<100) { i in if i == 50 { throw CancellationError() } } }
      #expect(try await pool.map(0..<10, Square()).count == 10)
    }
  }
}
