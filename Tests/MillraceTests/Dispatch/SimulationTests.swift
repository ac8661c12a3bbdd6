import MillraceTesting
import Testing

@Suite("Dispatcher: random schedules")
struct SimulationTests {
  @Test("what is promised holds in each of them", .timeLimit(.minutes(1)), arguments: 0..<4)
  func promises(part: UInt64) {
    for seed in part * 500..<(part + 1) * 500 {
      let outcome = Simulation(seed: seed).run()
      guard let problem = outcome.problem else { continue }
      Issue.record("seed \(seed): \(problem)\n\(SimulationShrinker.shortest(seed: seed).report)")
      return
    }
  }

  @Test("a seed says everything")
  func isDeterministic() {
    let first = Simulation(seed: 7).run(trace: true)
    let second = Simulation(seed: 7).run(trace: true)
    #expect(first.trace == second.trace)
    #expect(first.steps > 10)
  }
}
