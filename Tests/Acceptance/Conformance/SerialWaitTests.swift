import Millrace
import MillraceTesting
import TestSupport
import Testing

/// One item, and then nothing as long as the gate is shut, whoever is cancelled.
private struct Reluctant: AsyncSequence, Sendable {
  let gate: CommonCounter

  struct AsyncIterator: AsyncIteratorProtocol {
    let gate: CommonCounter
    var count = 0

    mutating func next() async -> Int? {
      count += 1
      if count > 1 { await gate.wait(for: 1) }
      return count == 1 ? 0 : nil
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(gate: gate) }
}

extension Checked {
  /// In a serial pool the consumer does the work. What it waits for meanwhile ends when its map does.
  @Suite struct SerialWaits {
    enum Ending: CaseIterable { case total, cancellation, terminate, shutdown }

    /// Maps the input until the map is ended so, and expects it to say so.
    private func end<S: AsyncSequence & Sendable>(
      _ items: S, by ending: Ending
    ) async throws where S.Element == Int {
      let begun = CommonCounter()
      let pool = try WorkerPool(.serial)
      let options = MapOptions(timeouts: MapOptions.Timeouts(total: ending == .total ? .milliseconds(50) : nil))
      let map = Task {
        var outputs: [Int] = []
        for try await output in pool.outputs(of: items, options: options, { $0 }) {
          outputs.append(output)
          begun.increment()
        }
        return outputs
      }
      await begun.wait(for: 1)
      switch ending {
      case .total: break
      case .cancellation: map.cancel()
      case .terminate: try await pool.terminate()
      case .shutdown: try await pool.shutdown()
      }
      let result = await map.result
      switch (ending, result) {
      case (.total, .failure(let error as WorkerPoolError)): #expect(error.kind == .timedOut)
      case (.cancellation, .failure(let error)): #expect(error is CancellationError)
      case (_, .failure(let error as WorkerPoolError)): #expect(error.kind == .closed)
      default: Issue.record("\(result)")
      }
      try await pool.shutdown()
    }

    @Test("U12: a wait for input ends with its map", arguments: Ending.allCases)
    func input(ending: Ending) async throws {
      try await withDeadline(.seconds(20)) {
        let (items, continuation) = AsyncStream.makeStream(of: Int.self)
        continuation.yield(0)
        try await end(items, by: ending)
        withExtendedLifetime(continuation) {}
      }
    }

    @Test("U12: so does one for an input that does not mind being cancelled", arguments: Ending.allCases)
    func reluctantInput(ending: Ending) async throws {
      let gate = CommonCounter()
      defer { gate.set(1) }
      try await withDeadline(.seconds(20)) { try await end(Reluctant(gate: gate), by: ending) }
    }

    @Test("U12: terminate() does not wait for another task's item, nor does a map whose time is over")
    func othersItem() async throws {
      let gate = CommonCounter()
      defer { gate.set(1) }
      try await withDeadline(.seconds(20)) {
        let begun = CommonCounter()
        let pool = try WorkerPool(.serial)
        let first = Task {
          try await pool.map([0]) { _ in
            begun.increment()
            await gate.wait(for: 1)
          }
        }
        await begun.wait(for: 1)
        let options = MapOptions(timeouts: MapOptions.Timeouts(total: .milliseconds(50)))
        let error = await #expect(throws: WorkerPoolError.self) { _ = try await pool.map([1], options: options) { $0 } }
        #expect(error?.kind == .timedOut)
        try await pool.terminate()
        gate.set(1)
        let closed = await #expect(throws: WorkerPoolError.self) { _ = try await first.value }
        #expect(closed?.kind == .closed)
      }
    }

    @Test("U12: a wait for the next attempt ends with its map")
    func backOff() async throws {
      try await withDeadline(.seconds(20)) {
        let begun = CommonCounter()
        let pool = try WorkerPool(.serial)
        let options = MapOptions(retry: .upTo(3, backoff: .constant(.seconds(600))))
        let map = Task {
          try await pool.map([7], options: options) { item -> Int in
            begun.increment()
            throw Refused(item: item)
          }
        }
        await begun.wait(for: 1)
        try await pool.terminate()
        let error = await #expect(throws: WorkerPoolError.self) { _ = try await map.value }
        #expect(error?.kind == .closed)
      }
    }
  }
}
