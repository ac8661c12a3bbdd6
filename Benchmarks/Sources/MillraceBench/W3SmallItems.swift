import Contract
import Kernel
import Millrace

/// W3, small items through worker processes: whole numbers, and a structure of five fields, which travels through `Codable` or as
/// it is.
func smallItems(_ run: Run) async throws {
  try await throughProcesses(run, "", Square(), inputs: Array(0..<1_000_000))
  let readings = (0..<1_000_000).map {
    Reading(number: $0, station: "station \($0 % 100)", time: Double($0) / 8, level: Float($0 % 1_000), isValid: true)
  }
  try await throughProcesses(run, "_struct", SquareReading(), inputs: readings)
  try await throughProcesses(run, "_memberwise", SquareMemberwise(), inputs: readings.map(MemberwiseReading.init))
}

private func throughProcesses<W: Worker>(
  _ run: Run, _ suffix: String, _ worker: W, inputs: [W.Input]
) async throws where W.Input: Numbered & Equatable, W.Output == W.Input {
  let plans: [(name: String, options: MapOptions, count: Int)] = [
    ("chunk1", MapOptions(chunking: .size(1)), 100_000),
    ("default", MapOptions(), 1_000_000),
    ("default_shown", MapOptions(progress: .custom(Nowhere())), 1_000_000),
    ("default_insights", MapOptions(), 1_000_000),
    ("chunk1000", MapOptions(chunking: .size(1_000)), 1_000_000),
  ]
  for (name, options, count) in plans {
    let inputs = Array(inputs.prefix(count))
    let expected = inputs.map(\.squared)
    let (ordered, unordered) = ("W3.ordered\(suffix).\(name)", "W3.unordered\(suffix).\(name)")
    guard run.includes(ordered) || run.includes(unordered) else { continue }
    // Who looks on costs a chunk something, whatever is in it: shown with the smallest items.
    if name.hasPrefix("default_"), !suffix.isEmpty { continue }
    try await withWorkerPool(.processes(Run.workers)) { pool in
      if name.hasSuffix("insights") { pool.recordInsights() }
      _ = try await pool.map(inputs.prefix(8), with: worker)
      for sample in run.samples(ordered, amount: Double(count)) {
        let outputs = try await pool.map(inputs, with: worker, options: options)
        sample.stop()
        sample.check(outputs == expected, "wrong results")
      }
      for sample in run.samples(unordered, amount: Double(count)) {
        let outputs = try await pool.map(inputs, with: worker, order: .completion, options: options)
        sample.stop()
        sample.check(outputs.sorted { $0.number < $1.number } == expected, "wrong results")
      }
    }
  }
}

struct Square: StatelessWorker {
  func process(_ item: Int) -> Int { squarePlusOne(item) }
}

struct SquareReading: StatelessWorker {
  func process(_ item: Reading) -> Reading { item.squared }
}

struct SquareMemberwise: StatelessWorker {
  func process(_ item: MemberwiseReading) -> MemberwiseReading { item.squared }
}

/// What has a number, which W3 squares.
protocol Numbered {
  var number: Int { get }
  var squared: Self { get }
}

extension Int: Numbered {
  var number: Int { self }
  var squared: Int { squarePlusOne(self) }
}

/// An item as programs have them: not just bytes, and of several fields.
struct Reading: Codable, Equatable, Sendable, Numbered {
  var number: Int
  var station: String
  var time: Double
  var level: Float
  var isValid: Bool

  var squared: Reading {
    var result = self
    result.number = squarePlusOne(number)
    return result
  }
}

/// The same, with the word that it need not be encoded.
struct MemberwiseReading: Codable, MemberwiseTransport, Equatable, Sendable, Numbered {
  var number: Int
  var station: String
  var time: Double
  var level: Float
  var isValid: Bool

  init(_ reading: Reading) {
    number = reading.number
    station = reading.station
    time = reading.time
    level = reading.level
    isValid = reading.isValid
  }

  var squared: MemberwiseReading {
    var result = self
    result.number = squarePlusOne(number)
    return result
  }
}
