import Foundation
import Logging
import Millrace

/// Gives spoiled input to everything that reads what another process wrote, on worker processes of Millrace's own: a trap
/// costs one seed, which is printed with its bytes.
@main
enum Fuzz {
  static func main() async throws {
    var targets = FuzzTargets.all
    var first: UInt64 = 0
    var count: UInt64?
    var seconds: Double?
    var isSerial = false
    var hex: String?
    var arguments = CommandLine.arguments.dropFirst()
    while let name = arguments.popFirst() {
      if let target = FuzzTargets.named(name) {
        targets = [target]
        continue
      }
      if name == "--serial" {
        isSerial = true
        continue
      }
      guard let value = arguments.popFirst() else { usage() }
      switch name {
      case "--seed": first = number(value)
      case "--count": count = number(value)
      case "--seconds": seconds = number(value)
      case "--bytes": hex = value
      default: usage()
      }
    }
    if let hex {
      guard let bytes = FuzzCase.bytes(hex: hex), targets.count == 1 else { usage() }
      say(try FuzzCase(targets[0], bytes: bytes).run() ? "accepted" : "refused")
      return
    }
    var problems = 0
    for target in targets {
      let run = FuzzRun(
        target: target.name, first: first, count: count ?? (seconds == nil ? 10_000 : .max),
        limit: seconds.map { .seconds($0 / Double(targets.count)) })
      let tally = try await isSerial ? run.here() : run.onPool()
      problems += tally.problems.count
    }
    exit(problems == 0 ? 0 : 1)
  }

  private static func number<Number: LosslessStringConvertible>(_ text: String) -> Number {
    guard let number = Number(text) else { usage() }
    return number
  }

  private static func usage() -> Never {
    print(
      """
      usage: Fuzz [TARGET] [--seed S] [--count N] [--seconds T] [--serial] | TARGET --bytes HEX
      targets: \(FuzzTargets.all.map(\.name).joined(separator: ", "))
      """)
    exit(64)
  }

  static func say(_ text: String) {
    print(text)
    fflush(nil)
  }
}

/// The seeds of one target, until there are enough or the time is over.
struct FuzzRun {
  let target: String
  let first: UInt64
  let count: UInt64
  let limit: Duration?

  private static let size: UInt64 = 1_000
  private let begun = ContinuousClock.now

  init(target: String, first: UInt64, count: UInt64, limit: Duration?) {
    self.target = target
    self.first = first
    self.count = count
    self.limit = limit
  }

  /// Batches as they are asked for.
  private var batches: some Sequence<FuzzBatch> {
    let end = first.addingReportingOverflow(count).overflow ? .max : first + count
    return sequence(state: first) { (next: inout UInt64) -> FuzzBatch? in
      guard next < end, limit.map({ ContinuousClock.now - begun < $0 }) ?? true else { return nil }
      let seeds = next..<min(end, next + Self.size)
      next = seeds.upperBound
      return FuzzBatch(target: target, seeds: seeds)
    }
  }

  func here() throws -> FuzzTally {
    var tally = FuzzTally()
    for batch in batches { note(try FuzzSeeds.run(batch), &tally) }
    report(tally)
    return tally
  }

  /// A seed that traps ends its worker, and one that does not end is ended: the others of its batch are run again, one by
  /// one.
  func onPool() async throws -> FuzzTally {
    var logger = Logger(label: "fuzz")
    logger.logLevel = .critical
    let options = MapOptions(chunking: .size(1), timeouts: Timeouts(item: .seconds(60)))
    let single = MapOptions(chunking: .size(1), timeouts: Timeouts(item: .seconds(10)))
    return try await withWorkerPool(.processes(), logger: logger) { pool in
      var tally = FuzzTally()
      for try await outcome in pool.outcomes(of: batches, FuzzSeeds(), options: options) {
        switch outcome.result {
        case .success(let batch): note(batch, &tally)
        case .failure:
          let suspects = outcome.input.seeds.map { FuzzBatch(target: target, seeds: $0..<$0 + 1) }
          for try await outcome in pool.outcomes(of: suspects, FuzzSeeds(), options: single) {
            note(try found(outcome), &tally)
          }
        }
        if tally.problems.count >= 20 { break }
      }
      report(tally)
      return tally
    }
  }

  private func found(_ outcome: Outcome<FuzzBatch, FuzzTally>) throws -> FuzzTally {
    switch outcome.result {
    case .success(let tally): return tally
    case .failure(let failure):
      var tally = FuzzTally()
      let seed = outcome.input.seeds.lowerBound
      guard let target = FuzzTargets.named(target) else { return tally }
      tally.problems = [
        FuzzTally.Problem(seed: seed, text: "\(failure.cause)\n\(failure.standardError)", hex: try FuzzCase(target, seed: seed).hex)
      ]
      return tally
    }
  }

  private func note(_ batch: FuzzTally, _ tally: inout FuzzTally) {
    for problem in batch.problems { Fuzz.say("\(target), seed \(problem.seed): \(problem.text)\n  bytes \(problem.hex)") }
    tally.add(batch)
  }

  private func report(_ tally: FuzzTally) {
    let seconds = (ContinuousClock.now - begun) / .seconds(1)
    Fuzz.say(
      "\(target): \(tally.count) inputs from seed \(first), \(tally.accepted) accepted, \(tally.refused) refused, "
        + "\(tally.problems.count) problems; \(Int(Double(tally.count) / seconds)) a second")
  }
}
