import Foundation
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

extension Faults {
  /// A worker, or the program itself, fails at each of the built-in points on an item's way.
  ///
  /// Each is a program of its own, which mostly waits for a limit: so a few run at once.
  @Suite(.forks) struct KillPoints {
    static let workerPoints = KillPoint.allCases.filter { $0.rawValue.hasPrefix("worker.") }
    static let parentPoints = KillPoint.allCases.filter { $0.rawValue.hasPrefix("parent.") }

    static let right = ["numbers: 24 right", "words: 24 right", "blocks: 6 right", "shared: 12 right", "over"]

    struct Report: Sendable {
      var lines: [String]
      var code: Int32
      var wasReached: Bool
    }

    private func run(
      _ point: KillPoint, _ hit: Int, _ action: KillPoint.Action, _ start: String, and other: String? = nil,
      scene: String = "faulted", retries: Int? = nil
    ) async throws -> Report {
      try await onPlainThread {
        let hits = NSTemporaryDirectory() + "/millrace-hits-\(UUID().uuidString)"
        defer { unlink(hits) }
        let program = try TestProgram(
          [scene, start] + (retries.map { ["\($0)"] } ?? []),
          environment: [
            "MILLRACE_KILL_POINT": "\(point.rawValue):\(hit):\(action.rawValue):\(hits)"
              + (other.map { ",\($0)" } ?? ""),
            // A backtrace takes most of a second; other tests look at them.
            "SWIFT_BACKTRACE": "enable=no",
          ])
        let lines = program.rest()
        let code = program.wait()
        var status = stat()
        return Report(lines: lines, code: code, wasReached: stat(hits, &status) == 0 && status.st_size >= hit)
      }
    }

    @Test("a worker fails at a point, once", arguments: [.kill, .exit, .sleep] as [KillPoint.Action])
    func workerFails(action: KillPoint.Action) async throws {
      try await atOnce(Self.workerPoints) { point in
        let report = try await run(point, 1, action, "forkServer")
        #expect(report.wasReached && report.lines == Self.right && report.code == 0, "\(point)")
      }
    }

    @Test("F01 a worker is killed before it is told what it is", arguments: ["forkServer", "spawn"])
    func f01(start: String) async throws {
      for point in [KillPoint.workerStarts, .workerIsIntroduced] {
        let report = try await run(point, 1, .kill, start, retries: 0)
        #expect(report.wasReached && report.lines == Self.right && report.code == 0, "an item was blamed")
      }
    }

    @Test(
      "F07 F13 a worker is killed while it decodes an item or encodes an output: one strike, for that item alone",
      arguments: [KillPoint.workerDecodesItem, .workerEncodesOutput])
    func f07(point: KillPoint) async throws {
      for hit in [1, 6] {
        let report = try await run(point, hit, .kill, "forkServer", retries: 0)
        #expect(report.wasReached && report.code == 0 && report.lines.count == Self.right.count)
        #expect(report.lines[1].hasPrefix("words: 23 right, "), "\(report.lines)")
        #expect([report.lines[0]] + report.lines[2...] == [Self.right[0]] + Self.right[2...])
      }
    }

    @Test("a worker is stopped at a point for ever")
    func workerStops() async throws {
      try await atOnce(Self.workerPoints) { point in
        let report = try await run(point, 1, .stop, "forkServer")
        #expect(report.wasReached && report.lines == Self.right && report.code == 0, "\(point)")
      }
    }

    /// Nothing limits its set-up: only that it does not begin gives it away.
    @Test("a worker that is stuck in its fork is forked again")
    func stuckInItsFork() async throws {
      let report = try await run(.workerServes, 1, .stop, "fork", scene: "patient")
      #expect(report.wasReached && report.lines == ["running", "right"] && report.code == 0)
    }

    @Test("a worker traps at a point")
    func workerTraps() async throws {
      try await atOnce(Self.workerPoints) { point in
        let report = try await run(point, 2, .trap, "forkServer")
        #expect(report.lines == Self.right && report.code == 0, "\(point)")
      }
    }

    /// A forked one comes to all points but those of its introduction.
    @Test("a worker that was spawned or forked is killed at a point", arguments: ["spawn", "fork"])
    func otherStarts(start: String) async throws {
      try await atOnce(Self.workerPoints) { point in
        let report = try await run(point, 1, .kill, start)
        let isIntroduced = point == .workerStarts || point == .workerIsIntroduced
        #expect(report.wasReached == !(start == "fork" && isIntroduced), "\(point)")
        #expect(report.lines == Self.right && report.code == 0, "\(point)")
      }
    }

    @Test(
      "an error at a point",
      arguments: [
        (.workerDecodesWorker, 0), (.workerSetsUp, 0), (.workerDecodesItem, 1), (.workerEncodesOutput, 1),
        (.workerTearsDown, 0), (.workerEncodesExit, 0),
      ] as [(KillPoint, Int)])
    func workerThrows(point: KillPoint, failures: Int) async throws {
      let report = try await run(point, 1, .throw, "forkServer")
      #expect(report.wasReached && report.code == 0 && report.lines.count == Self.right.count)
      #expect(report.lines[0] == "numbers: 24 right")
      // The items of the first map lie in the ring as they are: nothing of them is decoded or encoded.
      if failures == 0 { return #expect(report.lines == Self.right) }
      #expect(report.lines[1].hasPrefix("words: 24 right"))
      #expect(Array(report.lines[2...]) == Array(Self.right[2...]))
    }

    @Test("F14 a worker is killed when half an output is written", arguments: [1, 5])
    func shortWrite(hit: Int) async throws {
      let report = try await run(.workerWritesOutput, hit, .shortWrite, "forkServer")
      #expect(report.wasReached && report.lines == Self.right && report.code == 0)
    }

    /// The leak oracle of the suite sees whether anything of it lives on.
    @Test("the program dies at a point", arguments: [.kill, .trap] as [KillPoint.Action])
    func programDies(action: KillPoint.Action) async throws {
      try await atOnce(Self.parentPoints.filter { $0 != .parentEndsWorker }) { point in
        let report = try await run(point, 1, action, "forkServer")
        #expect(report.wasReached, "\(point)")
        #expect(report.code == (action == .kill ? 1_000 + SIGKILL : 1_000 + SIGILL), "\(point)")
      }
    }

    @Test("the program dies while it ends a worker")
    func programDiesWhileItEndsAWorker() async throws {
      let report = try await run(.parentEndsWorker, 1, .kill, "forkServer", and: "worker.takes-chunk:1:stop")
      #expect(report.wasReached && report.code == 1_000 + SIGKILL)
    }

    @Test("the program is held up at a point")
    func programSleeps() async throws {
      try await atOnce(Self.parentPoints) { point in
        let report = try await run(point, 1, .sleep, "forkServer")
        #expect(report.lines == Self.right && report.code == 0, "\(point)")
      }
    }
  }
}
