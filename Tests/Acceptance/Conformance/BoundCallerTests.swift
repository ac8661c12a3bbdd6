import Foundation
import Millrace
import TestSupport
import Testing

extension Checked.EveryPlace {
  /// What a program is whose first call comes from a thread that is bound to one CPU.
  struct BoundCallers {
    @Test(
      "U20: a first caller that is bound to one CPU binds neither threads nor processes",
      .enabled(if: WorkerPool.usableCPUs > 1), arguments: Place.parallel)
    func bound(place: Place) async throws {
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram(["bound", place.rawValue])
        return (program.rest(), program.wait())
      }
      let all = WorkerPool.usableCPUs
      var expected = ["caller 1", "usable \(all)", "crew \(all)"]
      // Swift's own threads are not ours to bind: tasks run where the runtime runs them.
      if place != .tasks { expected += ["workers \(all)", "closures \(all)"] }
      #expect(Array(lines.prefix(expected.count)) == expected)
      #expect(lines.count == 5)
      #expect(code == 0)
    }

    @Test("U34: withShutdownSignals says that it replaced a handler, and hears the signal", arguments: [Place.threads])
    func handledBefore(place: Place) async throws {
      let report = try await handled([place.rawValue], signal: SIGTERM)
      #expect(report.lines == ["interrupted"])
      #expect(report.code == 143)
      #expect(report.errors.contains("SIGTERM was handled by another part of the program"))
      #expect(!report.errors.contains("SIGINT"))
    }

    @Test(
      "U34: withShutdownSignals says that its handler was replaced, and leaves the new one", arguments: [Place.threads])
    func handledAfter(place: Place) async throws {
      let report = try await handled([place.rawValue, "late"], signal: nil)
      #expect(report.lines == ["heard elsewhere", "over"])
      #expect(report.code == 0)
      #expect(report.errors.components(separatedBy: "SIGTERM is handled by another part").count == 2, "once")
    }

    private func handled(
      _ words: [String], signal: Int32?
    ) async throws -> (lines: [String], code: Int32, errors: String) {
      let file = FileManager.default.temporaryDirectory.appending(path: "handled-\(UUID()).log").path
      defer { try? FileManager.default.removeItem(atPath: file) }
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram(
          ["handled"] + words, through: ["sh", "-c", "exec \"$@\" 2>\"$0\"", file])
        while let line = program.line(), line != "running" {}
        if let signal { program.send(signal) }
        return (program.rest(), program.wait())
      }
      return (lines, code, try String(contentsOfFile: file, encoding: .utf8))
    }
  }
}
