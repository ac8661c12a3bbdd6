import Millrace

// A program whose default isolation is that of the main actor: sequences that are written in it are the main actor's.
// `MainActorProgram BACKEND` prints the outputs of a map over one.

struct Countdown: Sequence {
  let from: Int

  struct Iterator: IteratorProtocol {
    var left: Int
    mutating func next() -> Int? {
      defer { left -= 1 }
      return left > 0 ? left : nil
    }
  }
  func makeIterator() -> Iterator { Iterator(left: from) }
}

let backends: [String: WorkerPool.Backend] = [
  "serial": .serial, "tasks": .tasks(2), "threads": .threads(2), "processes": .processes(2),
]
let pool = try WorkerPool(backends[CommandLine.arguments[1]]!)
print(try await pool.map(Countdown(from: 3)) { $0 * 2 })
print(try await pool.map(Countdown(from: 3).enumerated()) { $0.offset * $0.element })
print(try await pool.map((0..<3).lazy.map { $0 + 1 }) { $0 * 2 })
try await pool.shutdown()
