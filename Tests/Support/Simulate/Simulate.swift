import MillraceTesting

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Plays the dispatcher through many seeds: `simulate --seeds N [--first S]`, or through one: `simulate --trace S`.
@main
enum Simulate {
  static func main() {
    var seeds: UInt64 = 20_000
    var first: UInt64 = 0
    var traced: UInt64?
    var arguments = CommandLine.arguments.dropFirst()
    while let name = arguments.popFirst() {
      guard let value = arguments.popFirst().flatMap({ UInt64($0) }) else { usage() }
      switch name {
      case "--seeds": seeds = value
      case "--first": first = value
      case "--trace": traced = value
      default: usage()
      }
    }
    if let traced {
      let outcome = Simulation(seed: traced).run(trace: true)
      print(outcome.report)
      finish(failures: outcome.problem == nil ? 0 : 1)
    }
    var failures = 0
    var steps = 0
    for seed in first..<first + seeds {
      if seed > first, (seed - first).isMultiple(of: 100_000) { progress(seed - first, failures) }
      let outcome = Simulation(seed: seed).run()
      steps += outcome.steps
      guard let problem = outcome.problem else { continue }
      failures += 1
      print("seed \(seed): \(problem)")
      if failures == 1 { print(SimulationShrinker.shortest(seed: seed).report) }
      if failures == 100 { break }
    }
    print("\(failures) of \(seeds) seeds failed, from seed \(first); \(steps) steps")
    finish(failures: failures)
  }

  private static func progress(_ seeds: UInt64, _ failures: Int) {
    print("\(seeds) seeds, \(failures) failed")
    fflush(nil)
  }

  private static func finish(failures: Int) -> Never { exit(failures == 0 ? 0 : 1) }

  private static func usage() -> Never {
    print("usage: simulate [--seeds N] [--first S] | --trace S")
    exit(64)
  }
}
