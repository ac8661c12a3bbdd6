/// Looks for the shortest schedule of a seed that still fails, by leaving things out of its world.
package enum SimulationShrinker {
  package static func shortest(seed: UInt64) -> Simulation.Outcome {
    var best = Simulation(seed: seed).run()
    guard best.problem != nil else { return best }
    let plan = SimulationPlan(seed: seed)
    var changes: [(inout SimulationMask) -> Void] = [
      { $0.withoutWorkerFaults = true }, { $0.withoutItemFaults = true }, { $0.withoutPrefetch = true },
      { $0.withoutLatency = true }, { $0.withoutLevels = true },
    ]
    for job in plan.jobs.indices { changes.append { $0.droppedJobs.insert(job) } }
    for deed in plan.deeds.indices { changes.append { $0.droppedDeeds.insert(deed) } }
    for items in [20, 10, 5, 3, 2, 1] { changes.append { $0.items = items } }
    for change in changes {
      var mask = best.mask
      change(&mask)
      let outcome = Simulation(seed: seed, mask: mask).run()
      if outcome.problem != nil { best = outcome }
    }
    return Simulation(seed: seed, mask: best.mask).run(trace: true)
  }
}

extension Simulation.Outcome {
  /// What happened and what was broken, with what is needed to see it again.
  package var report: String {
    var lines = trace
    if let problem {
      lines.append("BROKEN: \(problem)")
      lines.append("seed \(seed), \(steps) steps")
      if mask != SimulationMask() { lines.append("with \(mask)") }
    } else {
      lines.append("seed \(seed): nothing was broken, \(steps) steps")
    }
    return lines.joined(separator: "\n")
  }
}
