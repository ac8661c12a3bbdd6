import CMillrace
import Millrace
import Testing

extension Checked.EveryPlace {
  /// Which CPUs workers run on.
  struct Pinning {
    /// Which CPUs its thread is bound to.
    struct Mask: Worker {
      struct Report: Codable, Sendable {
        var slot: Int
        var cpus: [Int32]
      }
      func setUp(_ context: WorkerContext) -> Int { context.slot }
      func process(_ item: Int, state: inout Int) -> Report {
        var cpus = [Int32](repeating: -1, count: 1_024)
        let count = millrace_affinity_get(0, &cpus, cpus.count)
        return Report(slot: state, cpus: Array(cpus.prefix(max(0, Int(count)))).sorted())
      }
    }

    static let places = [.threads] + Place.processes
    static var last: Int { WorkerPool.cpuCount - 1 }
    static let masks: [WorkerPool.CPUIDs] = [
      [0], WorkerPool.CPUIDs([[0, last]]), WorkerPool.CPUIDs([[0], [last]]),
      WorkerPool.CPUIDs([[0, last], [0, last]]),
    ]

    static func backend(_ place: Place, _ ids: WorkerPool.CPUIDs) -> WorkerPool.Backend {
      place == .threads ? .threads(2, cpuIDs: ids) : place.backend(2, WorkerPool.ProcessOptions(cpuIDs: ids))
    }

    @Test("M14 the mask of each worker", arguments: places, [0, 1, 2, 3])
    func masks(place: Place, number: Int) async throws {
      let both = Array(Set([0, Int32(Self.last)])).sorted()
      let expected: [[Int32]] = [[[0], [0]], [both, both], [[0], [Int32(Self.last)]], [both, both]][number]
      try await withWorkerPool(Self.backend(place, Self.masks[number])) { pool async throws in
        let options = MapOptions(chunking: .size(1), dispatch: .roundRobin)
        let reports = try await pool.map(0..<4, with: Mask(), options: options)
        #expect(reports.map(\.slot) == [0, 1, 0, 1])
        for report in reports { #expect(report.cpus == expected[report.slot]) }
      }
    }

    @Test("M14 numbers that cannot be", arguments: places)
    func wrong(place: Place) {
      let wrong: [WorkerPool.CPUIDs] = [[0, 0, 0], [-1], WorkerPool.CPUIDs([[0], [WorkerPool.cpuCount]]), [[]]]
      for ids in wrong {
        let error = #expect(throws: InvalidOption.self) { try WorkerPool(Self.backend(place, ids)) }
        #expect(error?.name == "cpuIDs")
      }
    }
  }
}
