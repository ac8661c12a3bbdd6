/// The chunks that a slot has been given and is not done with, in the order in which it was given them.
struct SlotQueue {
  private var chunks = FIFO<Chunk>()
  /// How many they are, each of a batch counted. Kept, for it is asked of every slot at every step.
  private(set) var count = 0
  /// How many of what was given are of each worker.
  private var workers: [(key: WorkerKey, count: Int)] = []
  /// Whether one of them may have to be looked at or given up some time. Mostly none has.
  private(set) var hasDeadlines = false

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

  /// What may be running: the first, and where each worker has a process of its own in the slot the first of each.
  var heads: [Chunk] {
    guard let first else { return [] }
    guard workers.count > 1 else { return [first] }
    let others = chunks.elements.filter { $0.worker != first.worker }
    return [first] + workers.compactMap { worker in others.first { $0.worker == worker.key } }.filter { !$0.isBehind }
  }

  /// When one of them is to be looked at, or given up.
  var deadline: UInt64? { hasDeadlines ? heads.compactMap(\.deadline).min() : nil }

  subscript(id: Int) -> Chunk? { chunks.first { $0.id == id } }

  /// Whether one of them is of the job.
  func contains(_ job: JobID) -> Bool { chunks.first { $0.job == job } != nil }

  mutating func append(_ chunk: consuming Chunk) {
    count += chunk.count
    if chunk.deadline != nil { hasDeadlines = true }
    let worker = chunk.worker
    if let place = workers.firstIndex(where: { $0.key == worker }) {
      workers[place].count += 1
    } else {
      workers.append((worker, 1))
    }
    chunks.append(chunk)
  }

  mutating func popFirst() -> Chunk? {
    let chunk = chunks.popFirst()
    if let chunk { forget(chunk) }
    return chunk
  }

  /// Takes out the chunk, or batch, of this number.
  mutating func take(_ id: Int) -> Chunk? {
    // Mostly it is the first, and is moved, not copied.
    guard let first = chunks.popFirst() else { return nil }
    if first.id == id {
      forget(first)
      return first
    }
    chunks.prepend(first)
    let chunk = chunks.extract { $0.id == id }.first
    if let chunk { forget(chunk) }
    return chunk
  }

  private mutating func forget(_ chunk: Chunk) {
    count -= chunk.count
    if chunks.isEmpty { hasDeadlines = false }
    guard let place = workers.firstIndex(where: { $0.key == chunk.worker }) else { return }
    workers[place].count -= 1
    if workers[place].count == 0 { workers.remove(at: place) }
  }

  /// Changes the chunk, or batch, of this number.
  mutating func change(_ id: Int, _ body: (inout Chunk) -> Void) {
    chunks.change(where: { $0.id == id }) { chunk in
      count -= chunk.count
      body(&chunk)
      count += chunk.count
      if chunk.deadline != nil { hasDeadlines = true }
    }
  }
}
