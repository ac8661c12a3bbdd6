import Contract

/// `millrace-bench WORKLOAD REPS [key=value …]`: the workloads, written with Millrace as its users would write them.
@main
enum MillraceBench {
  typealias Workload = (keys: Set<String>, measure: @Sendable (Run) async throws -> Void)

  static let workloads: [String: Workload] = [
    "W1": ([], tinyMap),
    "W2": ([], irregularMap),
    "W3": ([], smallItems),
    "W4": (["items"], largePayloads),
    "W5": ([], expensiveStart),
    "W6": (["ballast"], startAndStop),
    "W7": ([], pipelines),
    "W8": (["mode", "n", "m"], lazyInput),
    "W9": (["kind", "command"], shellCommands),
    "W10": ([], liveInput),
    "W11": (["maps"], manyMaps),
    "W12": ([], nestedMaps),
    "W13": ([], { firstCall($0) }),
    "W14": ([], smallMaps),
    "W15": (["size"], sharedMemory),
    "growth": (["axis", "most"], growth),
    "scale": ([], scale),
  ]

  static func main() async {
    let run = Run(keys: workloads.mapValues(\.keys))
    do {
      try await workloads[run.workload]?.measure(run)
    } catch {
      Run.fail("\(run.workload): \(error)")
    }
  }
}
