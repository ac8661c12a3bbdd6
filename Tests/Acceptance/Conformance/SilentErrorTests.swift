import Logging
import Millrace
import MillraceIPC
import TestSupport
import Testing

extension Checked {
  /// What nobody is told of otherwise is logged.
  @Suite struct SilentErrors {
    @Test("U23: the failure of a submission that nobody asks for is logged", arguments: Backends.Conforming.apart)
    func discarded(backend: WorkerPool.Backend) async throws {
      let heard = Heard()
      try await withWorkerPool(backend, logger: heard.logger()) { pool async throws in
        try pool.submit(4, with: Picky(modulus: 3, remainder: 1))
        try pool.submit(5, with: Picky(modulus: 3, remainder: 1))
        let asked = try pool.submit(7, with: Picky(modulus: 3, remainder: 1))
        await #expect(throws: ItemFailure.self) { try await asked.value }
        let cancelled = try pool.submit(13, with: Picky(modulus: 3, remainder: 1))
        cancelled.cancel()
      }
      while heard.messages(at: .error).isEmpty { await Task.yield() }
      let errors = heard.messages(at: .error)
      #expect(errors.count == 1)
      #expect(errors.first?.contains("a submitted item failed, and nobody has asked for its value: item 0") == true)
    }

    @Test("U23: an attempt that another one makes good is logged at debug", arguments: Backends.Conforming.all)
    func cured(backend: WorkerPool.Backend) async throws {
      let heard = Heard()
      let options = MapOptions(retry: .upTo(3))
      try await withWorkerPool(backend, logger: heard.logger(.debug)) { pool async throws in
        #expect(try await pool.map(0..<3, with: FailsAtFirst(), options: options) == [0, 1, 2])
      }
      let texts = heard.messages(at: .debug).filter { $0.contains("failed") }
      #expect(texts.count == 1)
      #expect(texts.first?.contains("attempt 1 at item 1 failed") == true)
    }

    private struct FailsAtFirst: Worker {
      func setUp(_ context: WorkerContext) -> WorkerContext { context }
      func process(_ item: Int, state context: inout WorkerContext) throws -> Int {
        if item == 1, context.attempt == 1 { throw Refused(item: item) }
        return item
      }
    }

    @Test(
      "U23: so is the error of a worker that was written off", arguments: [WorkerPool.Backend.threads(1), .tasks(1)])
    func writtenOff(backend: WorkerPool.Backend) async throws {
      let heard = Heard()
      let worker = Stuck(gate: CommonCounter())
      try await withWorkerPool(backend, logger: heard.logger()) { pool async throws in
        let options = MapOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(30)))
        await #expect(throws: ItemFailure.self) { try await pool.map([0], with: worker, options: options) }
        worker.gate.set(1)
      }
      while heard.messages(at: .error).isEmpty { await Task.yield() }
      #expect(heard.messages(at: .error).first?.contains("tear-down of a worker that was given up failed") == true)
    }

    @Test(
      "U21: code that ends as soon as it was given up is worth no line",
      arguments: [WorkerPool.Backend.threads(2), .tasks(2)])
    func endsAtOnce(backend: WorkerPool.Backend) async throws {
      let heard = Heard()
      try await withWorkerPool(backend, logger: heard.logger()) { pool async throws in
        let options = MapOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(10)))
        let outputs = try await pool.map(0..<10, onFailure: .skip, options: options) { item in
          try await Task.sleep(for: .seconds(30))
          return item
        }
        #expect(outputs.isEmpty)
      }
      #expect(heard.messages(at: .warning) == [] && heard.messages(at: .info) == [])
    }

    @Test(
      "U21: code that runs on though it was given up is told of once, and when it ends, also after its pool",
      arguments: [WorkerPool.Backend.threads(1), .tasks(1)], [true, false])
    func runsOn(backend: WorkerPool.Backend, inSetUp: Bool) async throws {
      let heard = Heard()
      let worker = Stuck(inSetUp: inSetUp, gate: CommonCounter())
      try await withWorkerPool(backend, logger: heard.logger()) { pool async throws in
        let limit = Duration.milliseconds(30)
        let options = MapOptions(
          timeouts: inSetUp ? MapOptions.Timeouts(setUp: limit) : MapOptions.Timeouts(item: limit))
        await #expect(throws: (any Error).self) { try await pool.map([0], with: worker, options: options) }
      }
      let what = inSetUp ? "a set-up" : "item 0"
      while heard.messages(at: .warning).isEmpty { await Task.yield() }
      #expect(heard.messages(at: .warning).first?.hasPrefix("\(what) was given up ") == true)
      #expect(heard.messages(at: .info) == [])
      worker.gate.set(1)
      while heard.messages(at: .info).isEmpty { await Task.yield() }
      #expect(heard.messages(at: .info).first?.hasPrefix("\(what), which was given up, has ended after ") == true)
      #expect(heard.messages(at: .warning).count == 1 && heard.messages(at: .info).count == 1)
    }

    private struct Stuck: Worker {
      var inSetUp = false
      let gate: CommonCounter
      func setUp(_ context: WorkerContext) async {
        if inSetUp { await gate.wait(for: 1) }
      }
      func process(_ item: Int, state: inout Void) async { if !inSetUp { await gate.wait(for: 1) } }
      func tearDown(_ state: Void) throws { throw Refused(item: 0) }
    }
  }
}
