import Foundation
import Millrace
import Testing

extension CheckedMpire {
  /// Programs that are interrupted, killed, or read by others.
  struct Programs {
    static let signals: [(signal: Int32, code: Int32)] = [(SIGINT, 130), (SIGTERM, 143)]

    @Test("M20 one signal drains", arguments: Place.allCases, signals)
    func once(place: Place, signal: (signal: Int32, code: Int32)) async throws {
      try await onPlainThread {
        let program = try Program("interrupted", place)
        #expect(program.line() == "running")
        let begun = ContinuousClock.now
        program.send(signal.signal)
        #expect(program.rest() == ["interrupted"])
        #expect(program.wait() == signal.code)
        #expect(ContinuousClock.now - begun < .seconds(1))
      }
    }

    @Test("M20 the second signal cancels", arguments: Place.parallel)
    func twice(place: Place) async throws {
      try await onPlainThread {
        let program = try Program("stubborn", place)
        #expect(program.line() == "running")
        let begun = ContinuousClock.now
        program.send(SIGINT)
        program.send(SIGTERM)
        #expect(program.rest().last == "interrupted")
        #expect(program.wait() == 130, "the code is that of the first")
        #expect(ContinuousClock.now - begun < .seconds(1.5))
      }
    }

    @Test("M20 the third signal kills", arguments: Place.parallel)
    func thrice(place: Place) async throws {
      try await onPlainThread {
        let program = try Program("stubborn", place)
        #expect(program.line() == "running")
        let begun = ContinuousClock.now
        for _ in 1...3 { program.send(SIGINT) }
        #expect(program.wait() == 130)
        _ = program.rest()  // ends when no worker has it open
        #expect(ContinuousClock.now - begun < .seconds(1))
      }
    }

    @Test("a killed program leaves no workers", arguments: Place.processes)
    func killed(place: Place) async throws {
      try await onPlainThread {
        let program = try Program("killed", place)
        let workers = [program.line(), program.line()].compactMap { $0.flatMap { pid_t($0) } }
        #expect(workers.count == 2)
        for worker in workers { #expect(isRunning(worker) && worker != program.id) }
        let begun = ContinuousClock.now
        kill(program.id, SIGKILL)
        #expect(program.wait() == 1_000 + SIGKILL)
        _ = program.rest()
        while workers.contains(where: isRunning), ContinuousClock.now - begun < .seconds(2) { sched_yield() }
        #expect(ContinuousClock.now - begun < .seconds(1))
      }
    }

    @Test("what workers print comes in whole lines", arguments: Place.processes)
    func prints(place: Place) async throws {
      try await onPlainThread {
        let program = try Program("prints", place)
        let lines = program.rest()
        #expect(program.wait() == 0)
        let parts = (0..<20).map { " part \($0)" }.joined()
        #expect(Set(lines) == Set((0..<200).map { "item \($0)\(parts) end" } + ["over"]))
        #expect(lines.count == 201)
        #expect(lines.last == "over")
      }
    }
  }
}
