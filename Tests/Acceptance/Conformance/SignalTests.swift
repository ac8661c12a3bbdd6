import Foundation
import Millrace
import TestSupport
import Testing

extension Checked.EveryPlace {
  /// Programs that are interrupted, killed, or read by others.
  struct Programs {
    struct Report: Sendable {
      var lines: [String]
      var code: Int32
      var time: Duration
    }

    /// Runs a scene until it says that it runs, sends it signals, and waits until nobody has its output open any more.
    private func report(
      _ scene: String, _ place: Place, _ more: String..., after signals: [Int32]
    ) async throws -> Report {
      try await onPlainThread {
        let program = try TestProgram([scene, place.rawValue] + more)
        while let line = program.line(), line != "running" {}
        let begun = ContinuousClock.now
        for signal in signals { program.send(signal) }
        let lines = program.rest()
        let code = program.wait()
        return Report(lines: lines, code: code, time: ContinuousClock.now - begun)
      }
    }

    @Test("M20 F44 one signal drains", arguments: Place.allCases, [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
    func once(place: Place, signal: (number: Int32, code: Int32)) async throws {
      let report = try await report("interrupted", place, after: [signal.number])
      #expect(report.lines == ["interrupted"])
      #expect(report.code == signal.code)
      #expect(report.time < .seconds(1))
    }

    @Test("M20 F44 the second signal cancels", arguments: Place.parallel)
    func twice(place: Place) async throws {
      let report = try await report("stubborn", place, after: [SIGINT, SIGTERM])
      #expect(report.lines.last == "interrupted")
      #expect(report.code == 130, "that of the first")
      #expect(report.time < .seconds(1))
    }

    @Test("M20 F44 the third signal kills", arguments: Place.parallel)
    func thrice(place: Place) async throws {
      let report = try await report("deaf", place, after: [SIGTERM, SIGINT, SIGINT])
      #expect(!report.lines.contains("interrupted"))
      #expect(report.code == 143, "that of the first")
      #expect(report.time < .seconds(1))
    }

    @Test(
      "U172: one signal drains a pipeline whose stages have slots of their own",
      arguments: Place.parallel)
    func pipedOnce(place: Place) async throws {
      let report = try await report("piped", place, after: [SIGTERM])
      #expect(report.lines == ["in order: true, for: interrupted by SIGTERM", "interrupted"])
      #expect(report.code == 143)
      #expect(report.time < .seconds(2))
    }

    @Test("U172: the second signal gives it up", arguments: Place.parallel)
    func pipedTwice(place: Place) async throws {
      let report = try await report("piped", place, "stubborn", after: [SIGINT, SIGTERM])
      #expect(report.lines.last == "interrupted")
      #expect(report.code == 130, "that of the first")
      #expect(report.time < .seconds(2))
    }

    @Test("F41 a killed program leaves no workers", arguments: Place.processes)
    func killed(place: Place) async throws {
      let (workers, code, time) = try await onPlainThread {
        let program = try TestProgram(["killed", place.rawValue])
        let workers = [program.line(), program.line()].compactMap { $0.flatMap { pid_t($0) } }
        let begun = ContinuousClock.now
        let wereRunning = workers.filter { TestProgram.isRunning($0) && $0 != program.id }
        kill(program.id, SIGKILL)
        let code = program.wait()
        while wereRunning.contains(where: TestProgram.isRunning), ContinuousClock.now - begun < .seconds(2) {
          sched_yield()
        }
        return (wereRunning, code, ContinuousClock.now - begun)
      }
      #expect(workers.count == 2)
      #expect(code == 1_000 + SIGKILL)
      #expect(time < .seconds(1))
    }

    @Test("what workers print comes in whole lines", arguments: Place.processes)
    func prints(place: Place) async throws {
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram(["prints", place.rawValue])
        return (program.rest(), program.wait())
      }
      let parts = (0..<20).map { " part \($0)" }.joined()
      #expect(Set(lines) == Set((0..<200).map { "item \($0)\(parts) end" } + ["over"]))
      #expect(lines.count == 201)
      #expect(lines.last == "over")
      #expect(code == 0)
    }

    @Test("what workers print as the last thing they do is not lost", arguments: Place.processes)
    func lastWords(place: Place) async throws {
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram(["lastWords", place.rawValue])
        return (program.rest(), program.wait())
      }
      // One of them may have come too late for any work.
      #expect(Set(lines.dropLast()).isSubset(of: ["slot 0 ends", "slot 1 ends"]) && lines.count > 1)
      #expect(lines.last == "over")
      #expect(code == 0)
    }
  }
}
