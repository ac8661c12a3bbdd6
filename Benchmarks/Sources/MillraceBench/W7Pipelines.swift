import Contract
import Kernel
import Millrace

private struct Plus: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item &+ 1 }
}
private struct Triple: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item &* 3 }
}
private struct Flip: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item ^ 0x55 }
}
private struct Minus: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item &- 7 }
}
private struct PipelineSpin: StatelessWorker, Codable {
  var rounds: UInt64
  func process(_ item: UInt64) -> UInt64 { spin(item, rounds: rounds) }
}

private let trivialCount = 200_000
private let trivialSum: UInt64 = 59_998_901_280
private let cpuCount: UInt64 = 20_000
private let cpuSum: UInt64 = 3_521_433_517_011_615_559
private let rounds: [UInt64] = [7_000, 7_000, 42_000, 7_000]

/// W7, a pipeline of four stages, in order: `trivial` ones, and `cpu`, of which the third takes two thirds of the time.
///
/// `stations`: each stage is a job of its own, with an edge between them. `stages1` to `stages64`: how the cost grows with them. `map`,
/// `filter`, `compactMap`, `flatMap`: one stage of that kind, of which the last three leave out every other item, and the last makes two of each of
/// the others. `tap`, `take`, `batch`, `sorted`: one stage that sees all items in order.
func pipelines(_ run: Run) async throws {
  serial(run)
  for (suffix, backend) in [("", WorkerPool.Backend.processes(Run.workers)), (".threads", .threads(Run.workers))] {
    try await withWorkerPool(backend) { pool in
      let lines = Pipeline { Items(0..<trivialCount) }.map(with: Plus()).map(with: Triple()).map(with: Flip())
        .map(with: Minus())
      try await trivial(run, "W7.trivial" + suffix, lines, pool)
      try await trivial(run, "W7.trivial.stations" + suffix, apart(), pool)
      for count in [1, 4, 16, 64] where !suffix.isEmpty {
        try await stages(run, "W7.stages\(count)\(suffix)", count, pool)
      }
      for (kind, stage) in elastic + serials where !suffix.isEmpty {
        try await fused(run, "W7.\(kind)\(suffix)", stage, pool)
      }
      try await cpu(run, "W7.cpu" + suffix, pool)
    }
  }
}

private func serial(_ run: Run) {
  for sample in run.samples("W7.trivial.serial") {
    var total = 0
    for item in 0..<trivialCount { total &+= (((item &+ 1) &* 3) ^ 0x55) &- 7 }
    sample.stop()
    sample.check(UInt64(total), is: trivialSum)
  }
  for sample in run.samples("W7.cpu.serial") {
    var total: UInt64 = 0
    for item in 1...cpuCount { total ^= rounds.reduce(item) { spin($0, rounds: $1) } }
    sample.stop()
    sample.check(total, is: cpuSum)
  }
}

/// Each stage in a group of its own, so none runs in one go with another.
private func apart() -> Pipeline<Nothing, Int> {
  Pipeline { Items(0..<trivialCount) }
    .through(Pipeline<Int, Int> { Plus() }.options(StageOptions()))
    .through(Pipeline<Int, Int> { Triple() }.options(StageOptions()))
    .through(Pipeline<Int, Int> { Flip() }.options(StageOptions()))
    .through(Pipeline<Int, Int> { Minus() }.options(StageOptions()))
}

private func trivial(_ run: Run, _ variant: String, _ lines: Pipeline<Nothing, Int>, _ pool: WorkerPool) async throws {
  for sample in run.samples(variant, amount: Double(trivialCount)) {
    let total = try await lines.reduce(into: 0, on: pool) { $0 &+= $1 }
    sample.stop()
    sample.check(UInt64(total), is: trivialSum)
  }
}

private let elastic: [(String, Pipeline<Int, Int>)] = [
  ("map", Pipeline { Map { (item: Int) in item &+ (item & 1) } }),
  ("filter", Pipeline { Filter { (item: Int) in item & 1 == 0 } }),
  ("compactMap", Pipeline { CompactMap { (item: Int) in item & 1 == 0 ? item &+ 1 : nil } }),
  ("flatMap", Pipeline { FlatMap { (item: Int) in repeatElement(item, count: item & 1 == 0 ? 2 : 0) } }),
]

private let serials: [(String, Pipeline<Int, Int>)] = [
  ("tap", Pipeline { Tap("Look") { (item: Int) in if item < 0 { throw CancellationError() } } }),
  ("take", Pipeline { Take(trivialCount).pipeline(of: Int.self) }),
  ("batch", Pipeline<Int, [Int]> { Batched(64).pipeline(of: Int.self) }.flatMap { $0 }),
  ("sorted", Pipeline { Sort<Int>(within: 8) }),
]

private func fused(_ run: Run, _ variant: String, _ stage: Pipeline<Int, Int>, _ pool: WorkerPool) async throws {
  let lines = Pipeline { Items(0..<trivialCount) }.through(stage)
  let half = trivialCount / 2
  let sums = [
    "map": half * (trivialCount - 1) + half, "filter": half * (half - 1), "compactMap": half * half,
    "flatMap": 2 * half * (half - 1),
  ]
  let all = half * (trivialCount - 1)
  for sample in run.samples(variant, amount: Double(trivialCount)) {
    let total = try await lines.reduce(into: 0, on: pool) { $0 &+= $1 }
    sample.stop()
    sample.check(UInt64(total), is: UInt64(sums[variant.split(separator: ".").map(String.init)[1]] ?? all))
  }
}

private func stages(_ run: Run, _ variant: String, _ count: Int, _ pool: WorkerPool) async throws {
  var lines = Pipeline { Items(0..<trivialCount) }
  for _ in 0..<count { lines = lines.map(with: Plus()) }
  for sample in run.samples(variant, amount: Double(trivialCount * count), unit: "stages/s") {
    let total = try await lines.reduce(into: 0, on: pool) { $0 &+= $1 }
    sample.stop()
    sample.check(UInt64(total), is: UInt64(trivialCount * (trivialCount - 1) / 2 + trivialCount * count))
  }
}

private func cpu(_ run: Run, _ variant: String, _ pool: WorkerPool) async throws {
  let lines = Pipeline { Items(1...cpuCount) }.map(with: PipelineSpin(rounds: rounds[0])).map(
    with: PipelineSpin(rounds: rounds[1])
  )
  .map(with: PipelineSpin(rounds: rounds[2])).map(with: PipelineSpin(rounds: rounds[3]))
  for sample in run.samples(variant) {
    let total = try await lines.reduce(into: 0, on: pool) { $0 ^= $1 }
    sample.stop()
    sample.check(total, is: cpuSum)
  }
}
