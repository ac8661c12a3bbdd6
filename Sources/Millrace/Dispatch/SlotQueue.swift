/// The chunks that a slot has been given and is not done with, in the order in which it was given them.
struct SlotQueue {
  private var chunks = FIFO<Chunk>()
  /// How many they are, each of a batch counted. Kept, for it is asked of every slot at every step.
  private(set) var count = 0

  var isEmpty: Bool { chunks.isEmpty }
  var first: Chunk? { chunks.first }
  var elements: [Chunk] { chunks.elements }

  /// What there is beside the chunk that may have been begun: of a batch, those behind that.
  var waiting: [Chunk] {
    var waiting = chunks.elements
    guard let first = waiting.first else { return [] }
    if first.count > 1 {
      waiting[0].range = first.range.lowerBound + first.grain..<first.range.upperBound
    } else {
      waiting.removeFirst()
    }
    return waiting
  }

  subscript(id: Int) -> Chunk? { chunks.first { $0.id == id } }

  mutating func append(_ chunk: Chunk) {
    chunks.append(chunk)
    count += chunk.count
  }

  mutating func replaceFirst(with chunk: Chunk) {
    count += chunk.count - (first?.count ?? 0)
    chunks.replaceFirst(with: chunk)
  }

  mutating func popFirst() -> Chunk? {
    let chunk = chunks.popFirst()
    count -= chunk?.count ?? 0
    return chunk
  }

  /// Takes out the chunk, or batch, of this number.
  mutating func take(_ id: Int) -> Chunk? {
    if first?.id == id { return popFirst() }
    let chunk = chunks.extract { $0.id == id }.first
    count -= chunk?.count ?? 0
    return chunk
  }

  /// Changes the chunk, or batch, of this number.
  mutating func change(_ id: Int, _ body: (inout Chunk) -> Void) {
    chunks.change(where: { $0.id == id }) { chunk in
      count -= chunk.count
      body(&chunk)
      count += chunk.count
    }
  }
}
