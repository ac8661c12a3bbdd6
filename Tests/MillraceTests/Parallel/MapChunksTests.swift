import Millrace
import Testing

@Suite("mapChunks", .timeLimit(.minutes(1)))
struct MapChunksTests {
  private let items = Array(0..<10)

  @Test("P9 and M2: results of chunks are joined in order")
  func joined() {
    #expect(items.mapChunks(of: 3) { $0.map { $0 * 2 } } == items.map { $0 * 2 })
    #expect(items.mapChunks(of: 3) { [$0.count] } == [3, 3, 3, 1])
    #expect(items.mapChunks(count: 4) { [$0.count] } == [3, 3, 2, 2])
    #expect(items.mapChunks(atMost: 4) { [$0.count] } == [4, 3, 3])
    #expect(items.mapChunks(count: 4, atLeast: 20) { [$0.count] } == [10])
    #expect(items.mapChunks { $0.map { $0 } } == items)
    #expect([Int]().mapChunks { [$0.count] } == [])
    #expect(items.mapChunks(of: 4, width: 1) { $0.filter { $0 > 5 } } == [6, 7, 8, 9])
  }

  @Test func joinedInAsyncCode() async {
    let awaited = await items.mapChunks(of: 3) { [$0.count] }
    let even = await items.mapChunks(count: 4) { [$0.count] }
    let bounded = await items.mapChunks(atMost: 4) { [$0.count] }
    #expect(awaited == [3, 3, 3, 1] && even == [3, 3, 2, 2] && bounded == [4, 3, 3])
  }

  @Test func errorsAreRethrown() {
    #expect(throws: Refused(index: 6)) {
      try items.mapChunks(of: 3) { chunk throws(Refused) -> [Int] in
        if chunk.first == 6 { throw Refused(index: 6) }
        return []
      }
    }
  }
}
