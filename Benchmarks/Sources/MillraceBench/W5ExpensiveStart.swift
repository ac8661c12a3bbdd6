import Contract
import Kernel
import Millrace

/// W5, expensive start and state: a model that each worker loads once; a large image that all of them read; counts that
/// each of them keeps. The pool's start and end are in the times.
func expensiveStart(_ run: Run) async throws {
  try await model(run)
  try await image(run)
  try await counts(run)
}

private let backends: [(String, WorkerPool.Backend)] = [
  ("processes", .processes(Run.workers)), ("threads", .threads(Run.workers)),
]

// MARK: A model

private func model(_ run: Run) async throws {
  let (runs, evaluations) = (50, 10)
  let model = Evaluate.load()
  let expected = (0..<evaluations).map { Evaluate.evaluate($0, model) }

  for sample in run.samples("W5.init.serial") {
    var outputs: [UInt64] = []
    let model = Evaluate.load()
    for _ in 0..<runs { outputs += (0..<evaluations).map { Evaluate.evaluate($0, model) } }
    sample.stop()
    sample.check(outputs == (0..<runs).flatMap { _ in expected }, "wrong results")
  }

  for (name, backend) in backends {
    for sample in run.samples("W5.init.\(name)") {
      let outputs = try await withWorkerPool(backend) { pool in
        var outputs: [UInt64] = []
        for _ in 0..<runs { outputs += try await pool.map(0..<evaluations, with: Evaluate()) }
        return outputs
      }
      sample.stop()
      sample.check(outputs == (0..<runs).flatMap { _ in expected }, "wrong results")
    }
  }
}

/// Loads a model in 50 ms, and evaluates it in 2 ms.
struct Evaluate: Worker {
  static func load() -> UInt64 { spin(7, rounds: 31_400_000) }
  static func evaluate(_ item: Int, _ model: UInt64) -> UInt64 { spin(model ^ UInt64(item), rounds: 1_256_000) }

  func setUp(_ context: WorkerContext) -> UInt64 { Self.load() }
  func process(_ item: Int, state model: inout UInt64) -> UInt64 { Self.evaluate(item, model) }
}

// MARK: An image

private func image(_ run: Run) async throws {
  let names = ["W5.numerical.serial", "W5.numerical", "W5.numerical.threads"]
  guard names.contains(where: run.includes) else { return }
  let image = Matrix(rows: 5_000, columns: 5_000)
  let filters = Matrix.filters(20)

  // The image is black, so its results would not tell a wrong convolution: this one does.
  if let filter = filters.first, Matrix.dot.convolved(with: filter) != filter {
    Run.fail("W5.numerical: a filter over a dot is not the filter")
  }

  func check(_ results: [Matrix], _ sample: Sample) {
    sample.check(
      results.count == filters.count && results.allSatisfy { $0 == Matrix(rows: 1_001, columns: 1_001) },
      "wrong results")
  }

  for sample in run.samples(names[0]) {
    let results = filters.map { image.convolved(with: $0).everyFifth }
    sample.stop()
    check(results, sample)
  }
  for (name, backend) in zip(names.dropFirst(), backends.map(\.1)) {
    for sample in run.samples(name) {
      // A closure on processes is forked with what it captures: the image is there, and is never sent.
      let results = try await withWorkerPool(backend) { pool in
        try await pool.map(filters) { image.convolved(with: $0).everyFifth }
      }
      sample.stop()
      check(results, sample)
    }
  }
}

// MARK: Counts

private func counts(_ run: Run) async throws {
  let names = ["W5.stateful.serial", "W5.stateful", "W5.stateful.threads"]
  guard names.contains(where: run.includes) else { return }
  let documents = Documents.make()

  let all = CountPrefixes.count(documents)
  /// Which documents a worker gets is chance. But what is popular with one of them is so with all together, and what
  /// was seen more than twice as often with both together is popular with one.
  func check(_ popular: Set<[UInt8]>, workers: Int, _ sample: Sample) {
    let sure = CountPrefixes.popular(all, above: workers * CountPrefixes.limit)
    let possible = CountPrefixes.popular(all, above: CountPrefixes.limit)
    sample.check(
      popular.isSuperset(of: sure) && popular.isSubset(of: possible), "\(popular.count) prefixes, not the right ones")
    sample.report("result", "prefixes", Double(popular.count))
  }

  for sample in run.samples(names[0]) {
    let popular = CountPrefixes.popular(CountPrefixes.count(documents), above: CountPrefixes.limit)
    sample.stop()
    check(popular, workers: 1, sample)
  }
  for (name, backend) in zip(names.dropFirst(), backends.map(\.1)) {
    for sample in run.samples(name) {
      let popular = try await withWorkerPool(backend) { pool in
        for try await _ in pool.outputs(of: documents, with: CountPrefixes(), order: .completion) {}
        var popular: Set<[UInt8]> = []
        for exit in try await pool.tearDown(CountPrefixes()) { popular.formUnion(try exit.result.get()) }
        return popular
      }
      sample.stop()
      check(popular, workers: Run.workers, sample)
    }
  }
}

/// Counts the prefixes of all words that it is given, and in the end hands back the popular ones.
struct CountPrefixes: Worker {
  typealias Counts = [[UInt8]: Int]
  static let limit = 3

  func setUp(_ context: WorkerContext) -> Counts { [:] }

  func process(_ document: [[UInt8]], state counts: inout Counts) { Self.add(document, to: &counts) }

  func tearDown(_ counts: Counts) -> [[UInt8]] { Array(Self.popular(counts, above: Self.limit)) }

  static func add(_ document: [[UInt8]], to counts: inout Counts) {
    for word in document {
      for length in 1..<word.count { counts[Array(word.prefix(length)), default: 0] += 1 }
    }
  }

  static func count(_ documents: [[[UInt8]]]) -> Counts {
    documents.reduce(into: [:]) { add($1, to: &$0) }
  }

  static func popular(_ counts: Counts, above limit: Int) -> Set<[UInt8]> {
    Set(counts.lazy.filter { $0.value > limit }.map(\.key))
  }
}

/// 400 documents of random words, of 20 bytes each.
enum Documents {
  static func make() -> [[[UInt8]]] {
    let lengths = (0..<400).map { $0.isMultiple(of: 2) ? 1_500 : 500 }
    var words = splitmixBytes(lengths.reduce(0, +) * 20, seed: 42)[...]
    return lengths.map { length in
      (0..<length).map { _ in
        defer { words.removeFirst(20) }
        return Array(words.prefix(20))
      }
    }
  }
}
