#if Observability
import Logging
import Millrace
import MillraceIPC
import MillraceObservability
import MillraceTesting
import ServiceLifecycle
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

private struct Hanging: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    signal(SIGTERM, SIG_IGN)
    while item == 1 { usleep(1_000) }
    return item
  }
}

extension Checked {
  @Suite("A pool as a service") struct ServiceTests {
    private let quiet = Logger(label: "group") { _ in SwiftLogNoOpLogHandler() }

    @Test("a graceful shutdown finishes what was begun, and takes nothing more", arguments: Backends.wide)
    func drains(_ backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      let group = ServiceGroup(services: [WorkerPoolService(pool)], logger: quiet)
      let running = Task { try await group.run() }
      let counter = try SharedCounter()
      let map = Task {
        try await pool.map(0..<40, with: Counting(counter: counter), options: MapOptions(chunking: .size(1)))
      }
      #expect(await eventually { counter.value > 0 })
      await group.triggerGracefulShutdown()
      try await running.value
      #expect(try await map.value == Array(0..<40))
      let error = await #expect(throws: WorkerPoolError.self) { _ = try await pool.map([1], with: Hanging()) }
      #expect(error?.kind == .closed)
    }

    @Test("what takes longer than the limit is given up, and the log says so", .forks)
    func limit() async throws {
      let heard = Heard()
      let pool = try WorkerPool(.processes(1), logger: heard.logger())
      let group = ServiceGroup(
        services: [WorkerPoolService(pool, drainLimit: .milliseconds(100))], logger: quiet)
      let running = Task { try await group.run() }
      let map = Task { try await pool.map(0..<3, with: Hanging(), options: MapOptions(chunking: .size(1))) }
      #expect(await eventually { !pool.snapshot.jobs.isEmpty })
      await group.triggerGracefulShutdown()
      try await running.value
      await #expect(throws: (any Error).self) { try await map.value }
      #expect(heard.messages.contains { $0.hasPrefix("the pool had not finished what was begun after 0.1 seconds") })
    }

    @Test("U211: a limit beyond all measure is none", .timeLimit(.minutes(1)))
    func noLimit() async throws {
      let pool = try WorkerPool(.threads(1))
      let group = ServiceGroup(services: [WorkerPoolService(pool, drainLimit: .seconds(Int.max))], logger: quiet)
      let running = Task { try await group.run() }
      let counter = try SharedCounter()
      let map = Task { try await pool.map(0..<20, with: Counting(counter: counter)) }
      #expect(await eventually { counter.value > 0 })
      await group.triggerGracefulShutdown()
      try await running.value
      #expect(try await map.value == Array(0..<20))
    }

    @Test("a service that is cancelled gives up what was begun", .forks)
    func cancelled() async throws {
      let pool = try WorkerPool(.processes(1))
      let running = Task { try await WorkerPoolService(pool).run() }
      let map = Task { try await pool.map(0..<3, with: Hanging(), options: MapOptions(chunking: .size(1))) }
      #expect(await eventually { !pool.snapshot.jobs.isEmpty })
      running.cancel()
      _ = await running.result
      await #expect(throws: (any Error).self) { try await map.value }
    }

    @Test("SIGTERM ends a program's pool when what it had begun is done", .forks)
    func program() async throws {
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram([], of: "ServiceProgram")
        // The first item has begun.
        while let line = program.line(), line != "begun" {}
        program.send(SIGTERM)
        let lines = program.rest()
        return (lines, program.wait())
      }
      #expect(lines.last == "40 outputs, then closed", "\(lines)")
      #expect(code == 0)
    }
  }
}

/// Says that it has begun, and takes its time.
private struct Counting: StatelessWorker, Codable {
  let counter: SharedCounter

  func process(_ item: Int) async throws -> Int {
    counter.increment()
    try await Task.sleep(for: .milliseconds(2))
    return item
  }
}
#endif
