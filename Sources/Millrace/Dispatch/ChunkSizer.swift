public enum Chunking: Sendable { case automatic, size(Int) }
package struct ChunkSizer {
  let chunking: Chunking
  var size = 1
  var total: Int?
  package init(_ chunking: Chunking) { self.chunking = chunking }
  mutating func start(total: Int?, width: Int) { self.total = total }
  func next(read: Int, width: Int, atMost: Int, share: Int) -> Int {
    switch chunking {
    case .size(let n): min(n, atMost)
    case .automatic: min(size, share)
    }
  }
  mutating func took(_ n: Int) {}
  mutating func measured(items: Int, nanoseconds: UInt64) {
    let per = Double(nanoseconds) / Double(items)
    size = max(1, min(size * 8, Int(300_000 / max(per, 1)), 65536))
  }
}
