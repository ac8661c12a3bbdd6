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

/// Plays the dispatcher, or another of the machines, through many seeds on a pool of processes, through the same in this process, or
/// through one seed with all that happens.
@main
enum Simulate {
  static func main() async throws {
    var seeds: UInt64 = 20_000
    var first: UInt64 = 0
    var isSerial = false
    var machine = Machine.dispatcher
    var traced: UInt64?
    var arguments = CommandLine.arguments.dropFirst()
    while let name = arguments.popFirst() {
      if name == "--serial" {
        isSerial = true
        continue
      }
      guard let text = arguments.popFirst() else { usage() }
      if name == "--machine" {
        guard let named = Machine(rawValue: text) else { usage() }
        machine = named
        continue
      }
      guard let value = UInt64(text) else { usage() }
      switch name {
      case "--seeds": seeds = value
      case "--first": first = value
      case "--trace": traced = value
      default: usage()
      }
    }
    if let traced { trace(traced, machine) }
    let range = first..<first + seeds
    let tally = try await isSerial ? machine.play(range) : onPool(range, machine)
    print(tally.summary(of: range))
    exit(tally.failures == 0 ? 0 : 1)
  }

  private static func trace(_ seed: UInt64, _ machine: Machine) -> Never {
    let (report, problem) = machine.trace(seed)
    print(report)
    exit(problem == nil ? 0 : 1)
  }

  /// Plays the seeds in batches; what a seed that traps was in is played again seed by seed, to name it.
  private static func onPool(_ range: Range<UInt64>, _ machine: Machine) async throws -> Tally {
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
      for try await outcome in pool.outcomes(of: batches, with: PlaySeeds(machine: machine), options: options) {
        switch outcome.result {
        case .success(let batch): note(batch, machine, &tally)
        case .failure: suspects += outcome.input.map { $0..<$0 + 1 }
        }
        played += UInt64(outcome.input.count)
        if played.isMultiple(of: 100_000) { say("\(played) seeds, \(tally.failures) failed") }
        if tally.failures >= 100 { break }
      }
      for try await outcome in pool.outcomes(of: suspects, with: PlaySeeds(machine: machine), options: options) {
        switch outcome.result {
        case .success(let batch): note(batch, machine, &tally)
        case .failure(let failure):
          tally.failed(seed: outcome.input.lowerBound, "\(failure)")
          say("seed \(outcome.input.lowerBound): \(failure)")
        }
      }
      return tally
    }
  }

  private static func note(_ batch: Tally, _ machine: Machine, _ tally: inout Tally) {
    for problem in batch.problems {
      say("seed \(problem.seed): \(problem.text)")
      if tally.failures == 0 { say(machine.shortest(problem.seed)) }
    }
    tally.add(batch)
  }

  private static func say(_ text: String) {
    print(text)
    fflush(nil)
  }

  private static func usage() -> Never {
    print("usage: simulate [--machine dispatcher|strides|flows] [--seeds N] [--first S] [--serial] | --trace S")
    exit(64)
  }
}

/// Plays seeds, one after another.
struct PlaySeeds: StatelessWorker, Codable {
  var machine: Machine

  func process(_ seeds: Range<UInt64>) -> Tally { machine.play(seeds) }
}

/// Which of the state machines is played.
enum Machine: String, Codable {
  case dispatcher
  case strides
  case flows

  func play(_ seeds: Range<UInt64>) -> Tally {
    var tally = Tally()
    for seed in seeds {
      let (steps, problem) =
        switch self {
        case .dispatcher: { ($0.steps, $0.problem) }(Simulation(seed: seed).run())
        case .strides: { ($0.steps, $0.problem) }(StrideSimulation(seed: seed).run())
        case .flows: { ($0.steps, $0.problem) }(FlowSimulation(seed: seed).run())
        }
      tally.steps += steps
      if let problem { tally.failed(seed: seed, problem) }
    }
    return tally
  }

  func trace(_ seed: UInt64) -> (report: String, problem: String?) {
    switch self {
    case .dispatcher: { ($0.report, $0.problem) }(Simulation(seed: seed).run(trace: true))
    case .strides: { ($0.report, $0.problem) }(StrideSimulation(seed: seed).run(trace: true))
    case .flows: { ($0.report, $0.problem) }(FlowSimulation(seed: seed).run(trace: true))
    }
  }

  /// What happens in a seed that fails, left as short as can be.
  func shortest(_ seed: UInt64) -> String {
    switch self {
    case .dispatcher: SimulationShrinker.shortest(seed: seed).report
    case .strides, .flows: trace(seed).report
    }
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
