import MillraceTesting
import TestSupport
import Testing

extension Faults {
  /// Code of the program's closes descriptors that are not its own, as some does before it goes on as a daemon.
  @Suite(.forks) struct Careless {
    @Test(
      "U38: a program that closes all descriptors gets an error, at once, and none of its workers is left",
      .timeLimit(.minutes(1)), arguments: ["forkServer", "spawn", "fork"])
    func all(start: String) async throws {
      let lines = try await Self.run(start, "all")
      #expect(lines.contains("idle: cannotStart"), "\(lines)")
      // What ran may have ended with its worker a moment before.
      #expect(lines.contains { $0 == "busy: cannotStart" || $0.hasPrefix("busy: item 2, ") }, "\(lines)")
      #expect(
        lines.filter { $0.contains("has closed descriptors of the pool") && $0.contains("(errno 9)") }.count == 2,
        "\(lines)")
      #expect(lines.last == "children: 0", "\(lines)")
    }

    @Test(
      "U38: whichever are closed, every map ends, and so does the pool", .timeLimit(.minutes(1)),
      arguments: ["eventfd", "eventpoll", "pidfd", "socket", "pipe"])
    func some(kind: String) async throws {
      try await atOnce(["forkServer", "spawn", "fork"]) { start in
        let lines = try await Self.run(start, kind)
        #expect(lines.contains { $0.hasPrefix("idle: ") } && lines.contains { $0.hasPrefix("busy: ") }, "\(lines)")
        #expect(lines.last == "children: 0", "\(start): \(lines)")
      }
    }

    @Test(
      "U190: the same where sockets of the program's have their numbers then", .timeLimit(.minutes(1)),
      arguments: ["eventfd", "eventpoll", "pidfd", "socket", "pipe"])
    func replaced(kind: String) async throws {
      try await atOnce(["forkServer", "spawn", "fork"]) { start in
        let lines = try await Self.run(start, kind, "replaced")
        for state in ["idle: ", "busy: "] { #expect(lines.contains { $0.hasPrefix(state) }, "\(start): \(lines)") }
        #expect(lines.last == "children: 0", "\(start): \(lines)")
      }
    }

    private static func run(_ start: String, _ kind: String...) async throws -> [String] {
      try await onPlainThread {
        let program = try TestProgram(["careless", start] + kind)
        defer { _ = program.wait() }
        return program.rest()
      }
    }
  }
}
