import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Takes so long for each item, and no CPU.
private struct Dozes: StatelessWorker, Codable {
  var milliseconds: Int

  func process(_ item: Int) -> Int {
    usleep(UInt32(milliseconds) * 1_000)
    return item
  }
}

extension Checked {
  @Suite(.timeLimit(.minutes(1))) struct PipelineBalance {
    @Test("slots go to the group that needs them, and nothing is lost", arguments: Backends.wide)
    func moves(backend: WorkerPool.Backend) async throws {
      let heard = Heard()
      try await withWorkerPool(backend, logger: heard.logger()) { pool async throws in
        let seen = Passed<Int>()
        let pipeline = Pipeline<Nothing, Int> {
          EndlessCount()
          Parallel(3) { Dozes(milliseconds: 1) }
          Parallel(1) { Dozes(milliseconds: 10) }
        }.balanced(cpus: 4, every: .milliseconds(50)).stage(Tap("See") { seen.note($0) })
        let run = try pipeline.start(on: pool)
        while await run.snapshot.stages.prefix(2).map(\.slots) != [1, 3] { try await Task.sleep(for: .milliseconds(5)) }
        try await run.stop()
        let all = seen.all.sorted()
        #expect(all == Array(0..<all.count))
        #expect(heard.messages.contains { $0.hasSuffix("Dozes has 2 instead of 3, Dozes 2 has 2 instead of 1") })
      }
    }

    @Test("fewer slots than CPUs become more; what has no width, or one place, is left alone")
    func grows() async throws {
      let pipeline = Pipeline<Nothing, Int> {
        EndlessCount()
        Map { (item: Int) in item }
        Serial { Map { (item: Int) in item } }
        Parallel(1) { Dozes(milliseconds: 2) }
      }.balanced(cpus: 4, every: .milliseconds(20))
      let run = try pipeline.start()
      let before = await run.snapshot.stages.map(\.slots)
      while await run.snapshot.stages.last?.slots != 4 { try await Task.sleep(for: .milliseconds(5)) }
      #expect(await run.snapshot.stages.dropLast().map(\.slots) == before.dropLast())
      try await run.stop(.now)
    }

    @Test("a number of CPUs that means nothing is refused", arguments: [0, -1, 1_000_000])
    func refused(cpus: Int) async throws {
      let pipeline = Pipeline<Nothing, Int> {
        Items(0..<3)
        Parallel(2) { Dozes(milliseconds: 0) }
      }.balanced(cpus: cpus)
      let error = await #expect(throws: InvalidOption.self) { try await pipeline.run() }
      #expect(error?.name == "balanced(cpus:)")
    }
  }
}
