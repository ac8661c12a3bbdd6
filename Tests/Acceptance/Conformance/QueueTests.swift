import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// Servers: no more than so much may wait, and nothing for longer than so long.
  @Suite struct Queue {
    /// Where a slot that is busy has nothing behind: processes are handed a little ahead, and closures run beside each other there.
    static let inProgram: [WorkerPool.Backend] = [.threads(1), .threads(3), .tasks(2)]

    @Test("U35: with a queue limit, one submission too many is refused at once", arguments: inProgram)
    func limit(backend: WorkerPool.Backend) async throws {
      let gate = CommonCounter()
      let running = CommonCounter()
      let pool = try WorkerPool(backend, queueLimit: 3)
      let width = pool.width
      func submit(_ item: Int) throws -> Submission<Int> {
        try pool.submit(item) { item in
          running.increment()
          await gate.wait(for: 1)
          return item
        }
      }
      let busy = try (0..<width).map(submit)
      await running.wait(for: width)
      let waiting = try (0..<3).map(submit)
      let error = #expect(throws: WorkerPoolError.self) { _ = try submit(9) }
      #expect(error?.kind == .queueFull)
      let map = await #expect(throws: WorkerPoolError.self) { _ = try await pool.map([1]) { $0 } }
      #expect(map?.kind == .queueFull)
      gate.increment()
      for submission in busy + waiting { _ = try await submission.value }
      #expect(try await submit(7).value == 7)
      try await pool.shutdown()
    }

    @Test("U35: the limit on the whole counts waiting too", arguments: inProgram)
    func total(backend: WorkerPool.Backend) async throws {
      let gate = CommonCounter()
      let running = CommonCounter()
      let late = CommonCounter()
      try await withWorkerPool(backend) { pool async throws in
        let width = pool.width
        let busy = try (0..<width).map { item in
          try pool.submit(item) { item in
            running.increment()
            await gate.wait(for: 1)
            return item
          }
        }
        await running.wait(for: width)
        let options = ItemOptions(timeouts: MapOptions.Timeouts(total: .milliseconds(50)))
        let error = await #expect(throws: WorkerPoolError.self) {
          try await pool.run(1, options: options) { _ in late.increment() }
        }
        #expect(error?.kind == .timedOut)
        #expect(error.map { "\($0)".contains("0.05 seconds") } == true)
        let stream = await #expect(throws: WorkerPoolError.self) {
          for try await _ in pool.outputs(of: 0..<10, options: MapOptions(timeouts: options.timeouts), { $0 }) {
            Issue.record("nothing is free")
          }
        }
        #expect(stream?.kind == .timedOut)
        gate.increment()
        for submission in busy { _ = try await submission.value }
        #expect(try await pool.map(0..<10) { $0 } == Array(0..<10))
      }
      #expect(late.value == 0)
    }

    @Test("U35: worker processes refuse, and give up, what waits behind too much, too", .forks)
    func processes() async throws {
      let pool = try WorkerPool(.processes(1), queueLimit: 2)
      let busy = Stuck(items: [0])
      let options = ItemOptions(timeouts: MapOptions.Timeouts(total: .milliseconds(300)))
      var given: [Submission<Int>] = []
      let error = #expect(throws: WorkerPoolError.self) {
        for _ in 0..<100 { given.append(try pool.submit(0, with: busy, options: options)) }
      }
      #expect(error?.kind == .queueFull && given.count < 100)
      for submission in given {
        let late = await #expect(throws: WorkerPoolError.self) { _ = try await submission.value }
        #expect(late?.kind == .timedOut)
      }
      try await pool.terminate()
    }

    @Test("U35: a queue limit below zero and a limit of no time are refused")
    func hostile() async throws {
      #expect(throws: InvalidOption.self) { try WorkerPool(.threads(1), queueLimit: -1) }
      try await withWorkerPool(.threads(1), queueLimit: 0) { pool async throws in
        #expect(try await pool.map([1, 2]) { $0 } == [1, 2])
        await #expect(throws: InvalidOption.self) {
          try await pool.map([1], options: MapOptions(timeouts: MapOptions.Timeouts(total: .zero))) { $0 }
        }
      }
    }
  }
}
