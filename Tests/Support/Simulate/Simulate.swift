import Logging
import Millrace
import MillraceTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Plays the dispatcher through many seeds on a pool of processes, through the same in this process, or through one seed
/// with all that happens.
@main
enum Simulate {
  static func main() async throws {
    var seeds: UInt64 = 20_000
    var first: UInt64 = 0
    var isSerial = false
    var arguments = CommandLine.arguments.dropFirst()
    while let name = arguments.popFirst() {
      if name == "--serial" {
        isSerial = true
        continue
      }
      guard let value = arguments.popFirst().flatMap({ UInt64($0) }) else { usage() }
      switch name {
      case "--seeds": seeds = value
      case "--first": first = value
      case "--trace": trace(value)
      default: usage()
      }
    }
    let range = first..<first + seeds
    let tally = try await isSerial ? PlaySeeds.play(range) : onPool(range)
    print(tally.summary(of: range))
    exit(tally.failures == 0 ? 0 : 1)
  }

  private static func trace(_ seed: UInt64) -> Never {
    let outcome = Simulation(seed: seed).run(trace: true)
    print(outcome.report)
    exit(outcome.problem == nil ? 0 : 1)
  }

  /// Plays the seeds in batches; what a seed that traps was in is played again seed by seed, to name it.
  private static func onPool(_ range: Range<UInt64>) async throws -> Tally {
    var options = MapOptions()
    options.chunking = .size(1)
    var logger = Logger(label: "simulate")
    logger.logLevel = .error
    return try await withWorkerPool(.processes(), logger: logger) { pool in
      var tally = Tally()
      var suspects: [Range<UInt64>] = []
      var played: UInt64 = 0
      let batches = stride(from: range.lowerBound, to: range.upperBound, by: 1_000).lazy.map {
        $0..<min($0 + 1_000, range.upperBound)
      }
      for try await outcome in pool.outcomes(of: batches, with: PlaySeeds(), options: options) {
        switch outcome.result {
        case .success(let batch): note(batch, &tally)
        case .failure: suspects += outcome.input.map { $0..<$0 + 1 }
        }
        played += UInt64(outcome.input.count)
        if played.isMultiple(of: 100_000) { say("\(played) seeds, \(tally.failures) failed") }
        if tally.failures >= 100 { break }
      }
      for try await outcome in pool.outcomes(of: suspects, with: PlaySeeds(), options: options) {
        switch outcome.result {
        case .success(let batch): note(batch, &tally)
        case .failure(let failure):
          tally.failed(seed: outcome.input.lowerBound, "\(failure)")
          say("seed \(outcome.input.lowerBound): \(failure)")
        }
      }
      return tally
    }
  }

  private static func note(_ batch: Tally, _ tally: inout Tally) {
    for problem in batch.problems {
      say("seed \(problem.seed): \(problem.text)")
      if tally.failures == 0 { say(SimulationShrinker.shortest(seed: problem.seed).report) }
    }
    tally.add(batch)
  }

  private static func say(_ text: String) {
    print(text)
    fflush(nil)
  }

  private static func usage() -> Never {
    print("usage: simulate [--seeds N] [--first S] [--serial] | --trace S")
    exit(64)
  }
}

/// Plays seeds, one after another.
struct PlaySeeds: StatelessWorker {
  func process(_ seeds: Range<UInt64>) -> Tally { Self.play(seeds) }

  static func play(_ seeds: Range<UInt64>) -> Tally {
    var tally = Tally()
    for seed in seeds {
      let outcome = Simulation(seed: seed).run()
      tally.steps += outcome.steps
      if let problem = outcome.problem { tally.failed(seed: seed, problem) }
    }
    return tally
  }
}

/// What came of some seeds.
struct Tally: Codable {
  struct Problem: Codable {
    let seed: UInt64
    let text: String
  }

  var failures = 0
  var steps = 0
  /// The first of them.
  private(set) var problems: [Problem] = []

  mutating func failed(seed: UInt64, _ text: String) {
    failures += 1
    if problems.count < 100 { problems.append(Problem(seed: seed, text: text)) }
  }

  mutating func add(_ other: Tally) {
    failures += other.failures
    steps += other.steps
    problems += other.problems.prefix(max(0, 100 - problems.count))
  }

  func summary(of range: Range<UInt64>) -> String {
    let first = problems.first.map { "; the first, \($0.seed): \($0.text)" } ?? ""
    return "\(failures) of \(range.count) seeds failed, from seed \(range.lowerBound); \(steps) steps\(first)"
  }
}
