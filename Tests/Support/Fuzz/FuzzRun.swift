import Foundation
import Logging
import Millrace

/// The seeds of one target, until there are enough or the time is over.
package struct FuzzRun {
  private let target: String
  private let first: UInt64
  private let count: UInt64
  private let limit: Duration?

  private static let size: UInt64 = 1_000
  private let begun = ContinuousClock.now

  package init(target: String, first: UInt64, count: UInt64, limit: Duration? = nil) {
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

  package func here() throws -> FuzzTally {
    var tally = FuzzTally()
    for batch in batches { note(try FuzzSeeds.run(batch), &tally) }
    report(tally)
    return tally
  }

  /// A seed that traps ends its worker, and one that does not end is ended: the others of its batch are run again, one by
  /// one.
  package func onPool() async throws -> FuzzTally {
    var logger = Logger(label: "fuzz")
    logger.logLevel = .critical
    let options = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(item: .seconds(60)))
    let single = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(item: .seconds(10)))
    return try await withWorkerPool(.processes(), logger: logger) { pool in
      var tally = FuzzTally()
      for try await outcome in pool.outcomes(of: batches, with: FuzzSeeds(), options: options) {
        switch outcome.result {
        case .success(let batch): note(batch, &tally)
        case .failure:
          let suspects = outcome.input.seeds.map { FuzzBatch(target: target, seeds: $0..<$0 + 1) }
          for try await outcome in pool.outcomes(of: suspects, with: FuzzSeeds(), options: single) {
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
        FuzzTally.Problem(
          seed: seed, text: "\(failure.cause)\n\(failure.standardError)", hex: try FuzzCase(target, seed: seed).hex)
      ]
      return tally
    }
  }

  private func note(_ batch: FuzzTally, _ tally: inout FuzzTally) {
    for problem in batch.problems { say("\(target), seed \(problem.seed): \(problem.text)\n  bytes \(problem.hex)") }
    tally.add(batch)
  }

  private func report(_ tally: FuzzTally) {
    let seconds = (ContinuousClock.now - begun) / .seconds(1)
    say(
      "\(target): \(tally.count) inputs from seed \(first), \(tally.accepted) accepted, \(tally.refused) refused, "
        + "\(tally.problems.count) problems; \(Int(Double(tally.count) / seconds)) a second")
  }
}

/// At once, also into a file: what was found is not to be lost with the process.
func say(_ text: String) {
  print(text)
  fflush(nil)
}
