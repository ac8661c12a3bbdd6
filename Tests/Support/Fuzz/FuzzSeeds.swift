import Millrace

/// Some seeds of one target, run one after another.
package struct FuzzBatch: Codable, Sendable {
  package var target: String
  package var seeds: Range<UInt64>

  package init(target: String, seeds: Range<UInt64>) {
    self.target = target
    self.seeds = seeds
  }
}

/// What came of some seeds.
package struct FuzzTally: Codable, Sendable {
  package struct Problem: Codable, Sendable {
    package let seed: UInt64
    package let text: String
    package let hex: String
  }

  package var accepted = 0
  package var refused = 0
  package var problems: [Problem] = []

  package var count: Int { accepted + refused + problems.count }

  package init() {}

  package mutating func add(_ other: FuzzTally) {
    accepted += other.accepted
    refused += other.refused
    problems += other.problems
  }
}

/// Runs seeds. A trap in one ends the worker process, and is the pool's to see.
package struct FuzzSeeds: StatelessWorker, Codable {
  package init() {}

  package func process(_ batch: FuzzBatch) throws -> FuzzTally { try Self.run(batch) }

  package static func run(_ batch: FuzzBatch) throws -> FuzzTally {
    guard let target = FuzzTargets.named(batch.target) else {
      throw FuzzProblem("there is no target '\(batch.target)'")
    }
    var tally = FuzzTally()
    for seed in batch.seeds {
      let fuzzed = try FuzzCase(target, seed: seed)
      do {
        if try fuzzed.run() { tally.accepted += 1 } else { tally.refused += 1 }
      } catch {
        tally.problems.append(FuzzTally.Problem(seed: seed, text: "\(error)", hex: fuzzed.hex))
      }
    }
    return tally
  }
}
