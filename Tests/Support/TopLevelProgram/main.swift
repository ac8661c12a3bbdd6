import Millrace

// As somebody's script would have it: no settings, and closures that belong to the main actor because they are written here.
// `TopLevelProgram BACKEND` prints a line for each input that was read as it should be.

let backends: [String: WorkerPool.Backend] = [
  "serial": .serial, "tasks": .tasks(2), "threads": .threads(2), "processes": .processes(2),
]
let pool = try WorkerPool(backends[CommandLine.arguments[1]]!)

func expect<Value: Equatable>(_ name: String, _ value: Value, _ expected: Value) {
  print(value == expected ? name : "\(name) is wrong: \(value), not \(expected)")
}

// Each a type of its own, and each alone.
expect("lazy.map", try await pool.map((0..<5).lazy.map { $0 + 1 }) { $0 * 2 }, [2, 4, 6, 8, 10])
expect("lazy.filter", try await pool.map((0..<5).lazy.filter { $0 > 2 }) { $0 * 2 }, [6, 8])
expect("prefix(while:)", try await pool.map((0..<5).lazy.prefix(while: { $0 < 2 })) { $0 * 2 }, [0, 2])
expect("drop(while:)", try await pool.map((0..<5).lazy.drop(while: { $0 < 3 })) { $0 * 2 }, [6, 8])
expect("sequence(first:)", try await pool.map(sequence(first: 1, next: { $0 < 4 ? $0 * 2 : nil })) { $0 }, [1, 2, 4])
expect(
  "sequence(state:)",
  try await pool.map(
    sequence(
      state: 3,
      next: { left in
        left -= 1
        return left < 0 ? nil : left
      })
  ) { $0 }, [2, 1, 0])
expect("AnySequence", try await pool.map(AnySequence((0..<3).lazy.map { $0 + 1 })) { $0 }, [1, 2, 3])
var left = 3
expect(
  "AnyIterator",
  try await pool.map(
    AnyIterator {
      left -= 1
      return left < 0 ? nil : left
    }
  ) { $0 }, [2, 1, 0])
expect(
  "AnySequence of a closure", try await pool.map(AnySequence { (0..<3).lazy.map { $0 + 1 }.makeIterator() }) { $0 },
  [1, 2, 3])

// What wraps them.
expect(
  "enumerated", try await pool.map((0..<3).lazy.map { $0 + 1 }.enumerated()) { $0.offset * $0.element }, [0, 2, 6])
expect("zip", try await pool.map(zip(0..<3, (0..<3).lazy.map { $0 + 1 })) { $0 * $1 }, [0, 2, 6])
expect("zipped", try await pool.map(zipped(0..<3, (0..<3).lazy.map { $0 + 1 })) { $0 * $1 }, [0, 2, 6])
expect("lazy of lazy", try await pool.map((0..<5).lazy.map { $0 + 1 }.filter { $0 > 3 }) { $0 }, [4, 5])
expect("flatMap", try await pool.map((0..<3).lazy.flatMap { [$0, $0] }) { $0 }, [0, 0, 1, 1, 2, 2])
expect("joined", try await pool.map((0..<2).lazy.map { [$0, 7] }.joined()) { $0 }, [0, 7, 1, 7])
expect("reversed", try await pool.map((0..<3).lazy.map { $0 + 1 }.reversed()) { $0 }, [3, 2, 1])
expect("compactMap", try await pool.map((0..<4).lazy.compactMap { $0 > 1 ? $0 : nil }) { $0 }, [2, 3])
expect("chunks", try await pool.map((0..<4).lazy.map { $0 + 1 }.chunks(of: 2)) { $0.reduce(0, +) }, [3, 7])

// Sequences of one's own.
struct Countdown: Sequence, IteratorProtocol {
  var step: () -> Int?
  mutating func next() -> Int? { step() }
}
left = 3
expect(
  "a structure",
  try await pool.map(
    Countdown {
      left -= 1
      return left < 0 ? nil : left
    }
  ) { $0 }, [2, 1, 0])

final class Source: Sequence, IteratorProtocol {
  let step: () -> Int?
  init(_ step: @escaping () -> Int?) { self.step = step }
  func next() -> Int? { step() }
}
left = 3
expect(
  "an object",
  try await pool.map(
    Source {
      left -= 1
      return left < 0 ? nil : left
    }
  ) { $0 }, [2, 1, 0])

struct Hidden: Sequence {
  let base: any Sequence<Int>
  func makeIterator() -> AnyIterator<Int> { AnyIterator(base.makeIterator()) }
}
extension AnyIterator {
  init(_ base: any IteratorProtocol<Element>) {
    var base = base
    self.init { base.next() }
  }
}
expect("an existential", try await pool.map(Hidden(base: (0..<3).lazy.map { $0 + 1 })) { $0 }, [1, 2, 3])

@MainActor struct Isolated: @MainActor Sequence, @MainActor IteratorProtocol {
  var left = 3
  mutating func next() -> Int? {
    left -= 1
    return left < 0 ? nil : left
  }
}
expect("an isolated conformance", try await pool.map(Isolated()) { $0 }, [2, 1, 0])
expect("and what wraps it", try await pool.map(Isolated().enumerated()) { $0.offset * $0.element }, [0, 1, 0])

@MainActor final class Owner {
  func powers() async throws -> [Int] {
    try await pool.map(sequence(first: 1, next: { $0 < 4 ? $0 * 2 : nil })) { $0 }
  }
}
expect("in a method", try await Owner().powers(), [1, 2, 4])

// The other verbs.
try await pool.forEach((0..<5).lazy.map { $0 + 1 }) { $0 * 2 }
print("forEach")
var outputs: [Int] = []
for try await output in pool.outputs(of: (0..<1_000).lazy.map { $0 + 1 }, { $0 * 2 }) { outputs.append(output) }
expect("outputs", outputs, (1...1_000).map { $0 * 2 })
var outcomes: [Int] = []
for try await outcome in pool.outcomes(of: (0..<5).lazy.map { $0 + 1 }, order: .completion, { $0 * 2 }) {
  outcomes.append(try outcome.result.get())
}
expect("outcomes", outcomes.sorted(), [2, 4, 6, 8, 10])
// Iterated elsewhere than it was made.
@concurrent func sum(_ numbers: sending some AsyncSequence<Int, any Error>) async throws -> Int {
  var sum = 0
  for try await number in numbers { sum += number }
  return sum
}
expect("outputs, elsewhere", try await sum(pool.outputs(of: (0..<5).lazy.map { $0 + 1 }) { $0 * 2 }), 30)
do {
  let loom = try StridedMap(on: pool)
  let doubles = try loom.add((0..<5).lazy.map { $0 + 1 }) { $0 * 2 }
  var results: [Int] = []
  for try await result in doubles { results.append(result) }
  expect("StridedMap", results, [2, 4, 6, 8, 10])
}

// A large one, which leaves the actor to others.
expect("large", try await pool.map((0..<10_000).lazy.map { $0 + 1 }) { $0 }.count, 10_000)
var ticks = 0
let ticking = Task {
  while !Task.isCancelled {
    ticks += 1
    await Task.yield()
  }
}
let before = ticks
let slow = (0..<30).lazy.map { number in
  let end = ContinuousClock.now + .milliseconds(1)
  while ContinuousClock.now < end {}
  return number
}
expect("slow", try await pool.map(slow) { $0 }, Array(0..<30))
ticking.cancel()
print(ticks - before > 10 ? "the actor is free meanwhile" : "the actor had \(ticks - before) turns")

// Left early, and read on.
var position = 0
let tape = AnyIterator {
  position += 1
  return position <= 400 ? position : nil
}
// In a function, for at the top level Swift keeps a loop's iterator to the end of the program.
@MainActor func take(to last: Int, of numbers: sending OutputSequence<Int, AnyIterator<Int>>) async throws {
  for try await number in numbers where number == last { break }
}
try await take(to: 40, of: pool.outputs(of: tape, options: MapOptions(window: .items(16))) { $0 })
let start = position
expect("left", start < 100, true)
expect("read on", try await pool.map(tape) { $0 }, Array(start + 1...400))

try await pool.shutdown()
print("end")
