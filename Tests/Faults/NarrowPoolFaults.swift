import Foundation
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// Cannot be set up in one slot, and takes until that has failed for good in the others.
private struct BadSlot: Worker {
  let failures: CommonCounter

  func setUp(_ context: WorkerContext) async throws {
    if context.slot == 1 {
      failures.increment()
      throw Misfortune()
    }
    while failures.value < 3 { await Task.yield() }
  }

  func process(_ item: Int, state: inout Void) -> Int { item }
}

extension Faults {
  /// Slots that cannot have a worker, beside others that can.
  @Suite struct NarrowPool {
    @Test(
      "U14: set-up that fails in one slot of three costs that slot",
      arguments: [WorkerPool.Backend.threads(3), .tasks(3)])
    func badSlot(backend: WorkerPool.Backend) async throws {
      for _ in 0..<100 {
        try await withWorkerPool(backend) { pool async throws in
          let worker = BadSlot(failures: CommonCounter())
          #expect(try await pool.map(0..<6, with: worker, options: MapOptions(chunking: .size(1))) == Array(0..<6))
        }
      }
    }

    @Test(
      "U26: where there are descriptors for one worker, a pool of four does the work with it", .forks,
      arguments: ["forkServer", "spawn", "fork"])
    func oneWorkersDescriptors(start: String) async throws {
      let free = try await enoughForOne(start)
      for more in 0...2 {
        let said = try await lines(start, free + more, width: 4)
        #expect(said == ["right"], "with \(free + more) descriptors")
      }
    }

    @Test(
      "U265: descriptors that something else has for a moment only are waited for where no worker could make room",
      .forks, arguments: ["forkServer", "spawn", "fork"])
    func descriptorsOfAMoment(start: String) async throws {
      // The second try waits, for as long as it takes until they are there.
      let order = "\(KillPoint.parentLaunches.rawValue):2:\(KillPoint.Action.sleep.rawValue)"
      let said = try await lines(start, 64, width: 1, environment: ["MILLRACE_KILL_POINT": order], "held")
      #expect(said == ["right"])
    }

    @Test("U26: a worker that is stuck in its fork is replaced where there are descriptors for one", .forks)
    func stuckWithOneWorkersDescriptors() async throws {
      let free = try await enoughForOne("fork")
      let hits = NSTemporaryDirectory() + "/millrace-hits-\(UUID().uuidString)"
      defer { unlink(hits) }
      let order = "\(KillPoint.workerServes.rawValue):1:\(KillPoint.Action.stop.rawValue):\(hits)"
      let said = try await lines("fork", free, width: 1, environment: ["MILLRACE_KILL_POINT": order])
      #expect(said == ["right"])
      var status = stat()
      #expect(stat(hits, &status) == 0 && status.st_size > 1)
    }

    @Test(
      "U10: an item that waits for all that are behind it in its chunk holds nobody up",
      arguments: [WorkerPool.Backend.threads(2), .tasks(2)])
    func behindASlowItem(backend: WorkerPool.Backend) async throws {
      for _ in 0..<20 {
        try await withWorkerPool(backend) { pool async throws in
          let done = CommonCounter()
          let options = MapOptions(chunking: .size(50))
          let outputs = try await pool.map(0..<50, options: options) { item in
            if item == 0 { await done.wait(for: 49) } else { done.increment() }
            return item
          }
          #expect(outputs == Array(0..<50))
          #expect(done.value == 49)
        }
      }
    }

    /// How many descriptors a pool of one worker needs, whatever is closed when: with one less it is lucky now and then.
    private func enoughForOne(_ start: String) async throws -> Int {
      var (free, times) = (8, 0)
      while times < 10 {
        times += 1
        if try await lines(start, free, width: 1) == ["right"] { continue }
        (free, times) = (free + 1, 0)
        try #require(free < 60)
      }
      return free
    }

    private func lines(
      _ start: String, _ free: Int, width: Int, environment: [String: String] = [:], _ more: String...
    ) async throws -> [String] {
      try await onPlainThread {
        let program = try TestProgram(["cramped", start, "\(free)", "\(width)"] + more, environment: environment)
        defer { _ = program.wait() }
        return program.rest()
      }
    }
  }
}
